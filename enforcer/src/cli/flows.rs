//! `enforcer flows`.

mod map;

use std::{path::PathBuf, process::ExitCode};

use hyper::Method;

use crate::control::{self, FlowList, FlowRecord, client::call};

/// `enforcer flows`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
The running daemon answers. Flows that were refused are always recorded; those that passed only under
`enforcer run --record-flows`.

Examples:
  enforcer flows --verdict deny --country US
  enforcer flows --map flows.svg
  enforcer flows --json > flows.json
  enforcer policy simulate policies/ --flows flows.json")]
pub(super) struct FlowsArgs {
    /// Only of this workload, or of cgroups below it
    #[arg(long, value_name = "PATH")]
    workload: Option<String>,
    /// Only with this verdict
    #[arg(long, value_enum)]
    verdict: Option<VerdictName>,
    /// Only to this country (ISO 3166-1 code; ZZ: no database knows it)
    #[arg(long, value_name = "CODE")]
    country: Option<String>,
    /// What comes first
    #[arg(long, value_enum, default_value_t)]
    sort: Order,
    /// Draw workloads, countries and providers into this file: .svg or .html
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    map: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What became of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum VerdictName {
    /// It passed
    Allow,
    /// It was refused
    Deny,
    /// It passed because the policy audits
    #[value(name = "would_deny", alias = "would-deny")]
    WouldDeny,
}

/// What comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Order {
    /// What was seen most often
    #[default]
    Count,
    /// What was seen last
    Recent,
    /// By workload and destination
    Name,
}

pub use map::svg;

pub(super) fn run(args: &FlowsArgs, instance: &str) -> anyhow::Result<ExitCode> {
    let socket = control::socket_path(instance);
    let mut list: FlowList = call(&socket, &Method::GET, "/v1/flows")?;
    list.flows.retain(|flow| args.wants(flow));
    args.sort.apply(&mut list.flows);
    if let Some(path) = &args.map {
        map::write(path, &list.flows)?;
    } else if args.json {
        println!("{}", serde_json::to_string_pretty(&list)?);
    } else {
        print!("{}", table(&list));
        if list.dropped > 0 {
            eprintln!("enforcer: warning: {} flows found no room", list.dropped);
        }
        if !list.recording {
            eprintln!(
                "enforcer: flows that pass are not recorded: start `enforcer run --record-flows`"
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl FlowsArgs {
    fn wants(&self, flow: &FlowRecord) -> bool {
        let of = |wanted: &String| is_at_or_below(flow, wanted);
        let to = |country: &String| {
            let known = flow.country.as_ref();
            known.is_some_and(|known| known.eq_ignore_ascii_case(country))
        };
        let with = |verdict: VerdictName| flow.verdict == verdict.as_str();
        self.workload.as_ref().is_none_or(of)
            && self.country.as_ref().is_none_or(to)
            && self.verdict.is_none_or(with)
    }
}

fn is_at_or_below(flow: &FlowRecord, wanted: &str) -> bool {
    let names = [&flow.workload, &flow.cgroup];
    names.into_iter().flatten().any(|name| {
        let rest = name.strip_prefix(wanted.trim_end_matches('/'));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

impl VerdictName {
    fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::WouldDeny => "would_deny",
        }
    }
}

impl Order {
    fn apply(self, flows: &mut [FlowRecord]) {
        let name = |flow: &FlowRecord| (flow.workload.clone(), flow.destination, flow.port);
        flows.sort_by(|a, b| {
            let first = match self {
                Self::Count => b.count.cmp(&a.count),
                Self::Recent => b.last_seen.cmp(&a.last_seen),
                Self::Name => std::cmp::Ordering::Equal,
            };
            first.then_with(|| name(a).cmp(&name(b)))
        });
    }
}

/// Columns as wide as what they hold.
fn table(list: &FlowList) -> String {
    let heads = [
        "WORKLOAD",
        "DESTINATION",
        "PLACE",
        "VERDICT",
        "RULE",
        "COUNT",
        "LAST SEEN",
    ];
    let mut rows = vec![heads.map(str::to_owned)];
    rows.extend(list.flows.iter().map(row));
    let mut widths = [0; 7];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(widths);
        let line: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        text += line.join("  ").trim_end();
        text.push('\n');
    }
    text
}

fn row(flow: &FlowRecord) -> [String; 7] {
    let rule = flow.policy.as_deref().zip(flow.rule.as_deref());
    [
        flow.workload
            .as_ref()
            .or(flow.cgroup.as_ref())
            .map_or("-", String::as_str)
            .to_owned(),
        flow.to(),
        place(flow),
        flow.verdict.clone(),
        rule.map_or_else(
            || "-".to_owned(),
            |(policy, rule)| format!("{policy}/{rule}"),
        ),
        flow.count.to_string(),
        format!("{:.0}", flow.last_seen),
    ]
}

fn place(flow: &FlowRecord) -> String {
    let place = flow
        .range
        .as_deref()
        .or(flow.country.as_deref())
        .unwrap_or("-");
    match (flow.asn, flow.anycast) {
        (Some(asn), true) => format!("{place} AS{asn} anycast"),
        (Some(asn), false) => format!("{place} AS{asn}"),
        (None, _) => place.to_owned(),
    }
}
