//! `enforcer explain`: the kernel's own decision, told to people.

mod target;

use std::{path::PathBuf, process::ExitCode, time::SystemTime};

use anyhow::bail;
use enforcer_common::{
    abi::{CgroupId, ClassId, Hook},
    verdict::{Decision, Flow, Verdict},
};
use jiff::Timestamp;
use serde::Serialize;

use self::target::Target;
use crate::{
    compile::{Image, Input, compile},
    geo::{Agreement, GeoSet},
    policy::{self, Action, Policy},
};

/// `enforcer explain`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  enforcer explain --policy policies/sovereign-llm.yaml --to 8.8.8.8:443/tcp
  enforcer explain --policy policies/ --to '[2a05:d014::1]:443/udp' --json
  enforcer explain --policy policies/ --to 1.1.1.1/icmp")]
pub(super) struct ExplainArgs {
    /// Policy file or directory; repeat for several. All of them are taken to select the workload
    #[arg(long, value_name = "FILE|DIR", required = true)]
    policy: Vec<PathBuf>,
    /// Destination: ADDR|NAME[:PORT[/PROTO]], or ADDR|NAME/PROTO for protocols without ports. Port
    /// and protocol are 443/tcp unless given
    #[arg(long, value_name = "DESTINATION")]
    to: Target,
    /// Use this MaxMind DB file instead of the built-in database; repeat for several
    #[arg(long, value_name = "FILE")]
    geo: Vec<PathBuf>,
    /// Print JSON: an object for an address, an array for a name
    #[arg(long)]
    json: bool,
}

/// One decision with all that led to it.
#[derive(Serialize)]
struct Explanation<'a> {
    to: String,
    verdict: &'static str,
    would_deny: bool,
    reason: &'static str,
    policy: Option<&'a str>,
    /// `default` for the policy's default.
    rule: Option<&'a str>,
    action: Option<&'static str>,
    mode: Option<&'static str>,
    file: Option<PathBuf>,
    line: Option<u32>,
    column: Option<u32>,
    /// `ZZ`: no database knows it. Absent for special-purpose ranges.
    country: Option<String>,
    asn: Option<u32>,
    as_name: Option<String>,
    anycast: bool,
    range: Option<&'static str>,
    /// The address that was judged, where it is inside another.
    judged: Option<String>,
    /// The database that named the country.
    database: String,
    databases: Vec<DatabaseAnswer>,
    countries_agree: bool,
}

#[derive(Serialize)]
struct DatabaseAnswer {
    name: String,
    built: String,
    country: Option<String>,
    asn: Option<u32>,
    anycast: bool,
}

pub(super) fn run(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let loaded = match policy::load(&args.policy) {
        Ok(loaded) => loaded,
        Err(diagnostics) => {
            eprint!("{}", super::policy::rendered(&diagnostics));
            return Ok(ExitCode::FAILURE);
        }
    };
    if loaded.policies.is_empty() {
        bail!("no EgressPolicy in {}", args.policy[0].display());
    }
    let geo = GeoSet::open(&args.geo, Agreement::All)?;
    for warning in geo.warnings(SystemTime::now()) {
        eprintln!("enforcer: warning: {warning}");
    }
    let image = image_of(&loaded.policies, &geo)?;
    let explanations: Vec<Explanation<'_>> = args
        .to
        .flows()?
        .into_iter()
        .map(|(to, flow)| Explanation::of(to, &flow, &image, &geo))
        .collect();
    if args.json {
        match &explanations[..] {
            [only] if !args.to.is_name() => println!("{}", serde_json::to_string_pretty(only)?),
            all => println!("{}", serde_json::to_string_pretty(all)?),
        }
    } else {
        for explanation in &explanations {
            explanation.print();
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn image_of(policies: &[Policy], geo: &GeoSet) -> anyhow::Result<Image> {
    let classes = [(0..policies.len()).collect()];
    Ok(compile(&Input {
        policies,
        classes: &classes,
        geo,
        nat64: &[],
        generation: 0,
    })?)
}

impl<'a> Explanation<'a> {
    fn of(to: String, flow: &Flow, image: &'a Image, geo: &GeoSet) -> Self {
        let decision: Decision = image.decide(ClassId(0), flow);
        let rule = image.rule(decision.rule);
        let located = geo.locate(flow.dst);
        let unknown = located.special.is_none().then(|| "ZZ".to_owned());
        let named = located
            .answers
            .iter()
            .find(|answer| answer.location.country.is_some());
        let database = named
            .or(located.answers.first())
            .map(|answer| answer.database.name.clone());
        Self {
            to,
            verdict: verdict_name(decision.verdict),
            would_deny: decision.would_deny,
            reason: decision.reason.as_str(),
            policy: rule.map(|rule| &*rule.policy.0),
            rule: rule.map(|rule| rule.rule.as_deref().unwrap_or("default")),
            action: rule.map(|rule| match rule.action {
                Action::Allow => "allow",
                Action::Deny => "deny",
            }),
            mode: rule.map(|rule| match rule.mode {
                policy::Mode::Enforce => "enforce",
                policy::Mode::Audit => "audit",
            }),
            file: rule.map(|rule| rule.at.file.to_path_buf()),
            line: rule.map(|rule| rule.at.line),
            column: rule.map(|rule| rule.at.column),
            country: located
                .country
                .map(|country| country.to_string())
                .or(unknown),
            asn: located.asn.map(|asn| asn.0),
            as_name: located.as_name.map(str::to_owned),
            anycast: located.anycast,
            range: located.special.map(crate::geo::SpecialRange::as_str),
            judged: (located.judged != flow.dst).then(|| target::text(located.judged)),
            database: database.unwrap_or_default(),
            databases: located
                .answers
                .iter()
                .map(|answer| DatabaseAnswer {
                    name: answer.database.name.clone(),
                    built: Timestamp::try_from(answer.database.built)
                        .map_or_else(|_| "unknown".to_owned(), |built| built.to_string()),
                    country: answer.location.country.map(|country| country.to_string()),
                    asn: answer.location.asn.map(|asn| asn.0),
                    anycast: answer.location.anycast,
                })
                .collect(),
            countries_agree: located.countries_agree,
        }
    }

    fn print(&self) {
        let verdict = if self.would_deny {
            "allow (audit: would deny)"
        } else {
            self.verdict
        };
        println!("{}  {verdict}", self.to);
        if let (Some(policy), Some(rule), Some(file)) = (&self.policy, &self.rule, &self.file) {
            let line = self.line.unwrap_or_default();
            println!(
                "  because  rule `{rule}` of policy `{policy}`, {}:{line}",
                file.display()
            );
        } else {
            println!("  because  {}", self.reason);
        }
        if let Some(judged) = &self.judged {
            println!("  judged   as {judged}, the address inside it");
        }
        let mut place = Vec::new();
        place.extend(
            self.range
                .map(|range| format!("special-purpose range `{range}`, in no country")),
        );
        place.extend(self.country.as_ref().map(|country| match country.as_str() {
            "ZZ" => "country unknown (ZZ), so in no region".to_owned(),
            country => format!("country {country}"),
        }));
        if self.anycast {
            place.push("anycast, so in no region unless `anycast: allow`".to_owned());
        }
        if let Some(asn) = self.asn {
            place.push(format!("AS{asn} {}", self.as_name.as_deref().unwrap_or("")));
        }
        println!("  place    {}", place.join("; "));
        for DatabaseAnswer {
            name,
            built,
            country,
            ..
        } in &self.databases
        {
            let country = country.as_deref().unwrap_or("does not know it");
            println!(
                "  database {name} of {}: {country}",
                built.split('T').next().unwrap_or(built)
            );
        }
        if !self.countries_agree {
            println!("  note     the databases disagree; `agreement: all` asks for all of them");
        }
    }
}

fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "allow",
        Verdict::Deny => "deny",
        Verdict::Hold => "hold",
    }
}

/// The cgroup of an imagined flow.
const NOBODY: CgroupId = CgroupId(0);
/// The hook of an imagined flow.
const HOOK: Hook = Hook::Connect;
