//! `enforcer geo diff`.

use std::{
    cmp::Reverse,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use enforcer_common::{
    abi::{ClassId, Tag},
    verdict::{Decision, Verdict},
};
use jiff::Timestamp;
use serde::Serialize;

use super::built;
use crate::{
    compile::{Atlas, Comparison, Image, Input, Version, compile},
    daemon::node_resolvers,
    geo::{
        Agreement, GeoSet,
        diff::{Extent, Groups, Moved, moved},
    },
    policy::{self, Minute},
};

/// `enforcer geo diff`.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Compares every ordinary address, exactly. With --policy it also says which verdicts the new database
would change, for each policy by itself and each service that its rules tell apart, where no name of
the destination is known.

Exit status: 0 when no address moved and no verdict changes, 1 when one did, 2 when something is wrong.

Examples:
  enforcer geo diff GeoLite2-Country-old.mmdb GeoLite2-Country.mmdb
  enforcer geo diff old.mmdb new.mmdb --policy policies/ --json")]
pub struct DiffArgs {
    /// The database in use
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The one that is to replace it
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// Policies whose verdicts are compared: files and directories; repeat for several
    #[arg(long, value_name = "PATH")]
    policy: Vec<PathBuf>,
    /// Most lines in each part; 0 for all
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Write one JSON object, with everything
    #[arg(long)]
    json: bool,
}

/// Something is wrong with what was given.
const USAGE: u8 = 2;

/// Says what another database would change.
///
/// # Errors
/// Standard output cannot be written.
pub fn diff(args: &DiffArgs) -> anyhow::Result<ExitCode> {
    let report = match report(args) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("enforcer: {error:#}");
            return Ok(ExitCode::from(USAGE));
        }
    };
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &report)?;
        writeln!(out)?;
    } else {
        report.write(args.limit, &mut out)?;
    }
    out.flush()?;
    let same = report.moved.ranges() == 0 && report.verdicts.as_ref().is_none_or(Vec::is_empty);
    Ok(if same {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

#[derive(Serialize)]
struct Report {
    old: Edition,
    new: Edition,
    /// All that the databases place differently.
    moved: Extent,
    countries: Vec<Move>,
    asns: Vec<Move>,
    anycast: Vec<Move>,
    /// Absent without policies.
    verdicts: Option<Vec<VerdictMove>>,
}

#[derive(Serialize)]
struct Edition {
    name: String,
    path: Option<PathBuf>,
    built: String,
}

#[derive(Serialize)]
struct Move {
    from: String,
    to: String,
    #[serde(flatten)]
    extent: Extent,
}

#[derive(Serialize)]
struct VerdictMove {
    policy: String,
    service: String,
    old: Said,
    new: Said,
    #[serde(flatten)]
    extent: Extent,
}

#[derive(Serialize)]
struct Said {
    verdict: &'static str,
    rule: Option<String>,
    file: Option<PathBuf>,
    line: Option<u32>,
}

fn report(args: &DiffArgs) -> anyhow::Result<Report> {
    let open = |path: &PathBuf| GeoSet::open(std::slice::from_ref(path), Agreement::All);
    let (old, new) = (open(&args.old)?, open(&args.new)?);
    let changes = moved(&old.databases[0], &new.databases[0]);
    let mut all = Extent::default();
    changes.iter().for_each(|moved| all.add(moved.range));
    let country = |location: &crate::geo::Location| {
        let country = location.country.map(|country| country.to_string());
        country.unwrap_or_else(|| "ZZ".to_owned())
    };
    let asn = |location: &crate::geo::Location| {
        location
            .asn
            .map_or_else(|| "none".to_owned(), |asn| asn.to_string())
    };
    let anycast = |location: &crate::geo::Location| {
        if location.anycast {
            "anycast"
        } else {
            "unicast"
        }
        .to_owned()
    };
    Ok(Report {
        old: edition(&old)?,
        new: edition(&new)?,
        moved: all,
        countries: grouped(&changes, country),
        asns: grouped(&changes, asn),
        anycast: grouped(&changes, anycast),
        verdicts: match args.policy.is_empty() {
            true => None,
            false => Some(verdicts(&args.policy, &old, &new)?),
        },
    })
}

fn edition(geo: &GeoSet) -> anyhow::Result<Edition> {
    let info = &geo.databases[0].info;
    Ok(Edition {
        name: info.name.clone(),
        path: info.path.clone(),
        built: built(info)?,
    })
}

/// Ranges by what `name` says of them before and after, where that differs.
fn grouped(changes: &[Moved], name: impl Fn(&crate::geo::Location) -> String) -> Vec<Move> {
    let mut groups = Groups::default();
    for moved in changes {
        let pair = (name(&moved.old), name(&moved.new));
        if pair.0 != pair.1 {
            groups.add(pair, moved.range);
        }
    }
    let moves = groups.largest_first().into_iter();
    moves
        .map(|((from, to), extent)| Move { from, to, extent })
        .collect()
}

fn verdicts(paths: &[PathBuf], old: &GeoSet, new: &GeoSet) -> anyhow::Result<Vec<VerdictMove>> {
    let policies = match policy::load(paths) {
        Ok(loaded) => loaded.policies,
        Err(diagnostics) => anyhow::bail!(
            "the policies are broken\n{}",
            crate::cli::policy::rendered(&diagnostics)
        ),
    };
    let classes: Vec<Vec<usize>> = (0..policies.len()).map(|policy| vec![policy]).collect();
    let resolvers = node_resolvers();
    let input = |geo| Input {
        now: Minute::of(Timestamp::now()),
        cluster_dns: &resolvers,
        ..Input::of(&policies, &classes, geo)
    };
    let inputs = [input(old), input(new)];
    let images = [compile(&inputs[0])?, compile(&inputs[1])?];
    let atlases = [Atlas::of(&inputs[0])?, Atlas::of(&inputs[1])?];
    let version = |at: usize| Version {
        image: &images[at],
        atlas: &atlases[at],
        policies: &policies,
    };
    let comparison = Comparison::of(version(0), version(1));
    let mut moves = Vec::new();
    for (class, policy) in policies.iter().enumerate() {
        let tag = Some(Tag::judged(ClassId(class as u16)));
        for difference in comparison.differences(tag, tag) {
            moves.push(VerdictMove {
                policy: policy.name.to_string(),
                service: difference.services.join(", "),
                old: Said::of(&difference.before, &images[0]),
                new: Said::of(&difference.after, &images[1]),
                extent: difference.extent,
            });
        }
    }
    moves.sort_by_key(|it| Reverse(it.extent.weight()));
    Ok(moves)
}

impl Said {
    fn of(decision: &Decision, image: &Image) -> Self {
        let rule = image.rule(decision.rule);
        Self {
            verdict: match decision.verdict {
                Verdict::Allow if decision.would_deny => "would_deny",
                Verdict::Allow => "allow",
                Verdict::Deny => "deny",
                Verdict::Hold => "hold",
            },
            rule: rule.map(|rule| rule.rule.as_deref().unwrap_or("default").to_owned()),
            file: rule.map(|rule| rule.at.file.to_path_buf()),
            line: rule.map(|rule| rule.at.line),
        }
    }

    fn text(&self) -> String {
        let place = match (&self.rule, &self.file, self.line) {
            (Some(rule), Some(file), Some(line)) => {
                format!(" (rule `{rule}`, {}:{line})", file.display())
            }
            _ => String::new(),
        };
        format!("{}{place}", self.verdict)
    }
}

impl Report {
    fn write(&self, limit: usize, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "old  {}, built {}", self.old.name, self.old.built)?;
        writeln!(out, "new  {}, built {}", self.new.name, self.new.built)?;
        if self.moved.ranges() == 0 {
            writeln!(out, "nothing moved")?;
        } else {
            writeln!(out, "moved  {}", self.moved)?;
        }
        let parts = [
            ("countries", &self.countries),
            ("autonomous systems", &self.asns),
            ("anycast", &self.anycast),
        ];
        for (title, moves) in parts.into_iter().filter(|(_, moves)| !moves.is_empty()) {
            writeln!(out, "\n{title}")?;
            for Move { from, to, extent } in first(moves, limit) {
                writeln!(out, "  {from} -> {to}  {extent}{}", examples(extent))?;
            }
            rest(moves.len(), limit, out)?;
        }
        let Some(verdicts) = &self.verdicts else {
            return Ok(());
        };
        writeln!(out, "\nverdicts")?;
        if verdicts.is_empty() {
            writeln!(out, "  none changes")?;
        }
        for change in first(verdicts, limit) {
            let VerdictMove {
                policy,
                service,
                old,
                new,
                extent,
            } = change;
            writeln!(
                out,
                "  {policy}, {service}: {} -> {}",
                old.text(),
                new.text()
            )?;
            writeln!(out, "    {extent}{}", examples(extent))?;
        }
        rest(verdicts.len(), limit, out)
    }
}

fn first<T>(all: &[T], limit: usize) -> impl Iterator<Item = &T> {
    all.iter().take(if limit == 0 { usize::MAX } else { limit })
}

fn rest(count: usize, limit: usize, out: &mut impl Write) -> io::Result<()> {
    if limit > 0 && count > limit {
        writeln!(out, "  and {} more: --limit 0 lists all", count - limit)?;
    }
    Ok(())
}

fn examples(extent: &Extent) -> String {
    let ranges: Vec<_> = extent.largest().iter().map(ToString::to_string).collect();
    format!(", such as {}", ranges.join(", "))
}
