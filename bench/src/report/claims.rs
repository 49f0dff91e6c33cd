//! What holds and what does not, from the figures alone.

use std::fmt::Write as _;

use anyhow::Result;

use super::mib;
use crate::{outcome::Outcome, pairs::Comparison, start::TWO_DATABASES};

/// Loads with the most that they may cost.
const LOADS: [(&str, f64); 3] = [
    ("TCP connect, IPv4", 1.11),
    ("UDP, connected, IPv4", 1.07),
    ("UDP, a new destination each packet, IPv4", 1.25),
];
/// Milliseconds of a cold start with two databases.
const START_MS: f64 = 500.0;
/// Records of refusals a second of one core.
const EVENTS: f64 = 200_000.0;
/// MiB of kernel memory.
const MEMORY_MIB: f64 = 32.0;

/// Milliseconds from the call of a push to its answer.
const PUSH_MS: f64 = 100.0;
/// Milliseconds from the making of a cgroup to its tag.
const TAG_MS: f64 = 50.0;
const RECORD_MS: f64 = 100.0;
/// What must not cost: the table, and the rows of few and of many.
const GROWTH: [(&str, &str, &str, &str); 3] = [
    (
        "cost of the 1000th policy",
        "by policies",
        "policies: 252",
        "policies: 1000",
    ),
    (
        "cost of the 100,000th CIDR",
        "by CIDRs",
        "CIDRs: 10",
        "CIDRs: 100000",
    ),
    (
        "cost of the 10,000th workload",
        "by workloads",
        "workloads: 1",
        "workloads: 10000",
    ),
];

/// The goals, and then who costs less than enforcer and who more.
pub(super) fn write(text: &mut String, outcome: &Outcome) -> Result<()> {
    writeln!(
        text,
        "\n## What must hold\n\n| | must | measured | |\n|---|---|---|---|"
    )?;
    let mut row = |name: &str, must: String, measured: Option<(String, bool)>| {
        let (measured, holds) = measured.unwrap_or_else(|| ("not measured".to_owned(), false));
        let holds = if holds { "holds" } else { "**does not hold**" };
        writeln!(text, "| {name} | {must} | {measured} | {holds} |")
    };
    for (load, most) in LOADS {
        let measured = own(outcome, load);
        let measured = measured.map(|ratio| (format!("{ratio:.3}"), ratio <= most));
        row(load, format!("at most {most}"), measured)?;
    }
    let mut exec = outcome.start.exec.iter();
    let two = exec.find(|(name, _)| name == TWO_DATABASES);
    let two = two.map(|(_, ms)| ms.median);
    let two = two.map(|ms| (format!("{ms:.0} ms"), ms <= START_MS));
    row(
        "`enforcer exec`, two world databases, cold",
        format!("at most {START_MS} ms"),
        two,
    )?;
    let swap = &outcome.swap;
    let wrong = (format!("{} of {}", swap.wrong, swap.sends), swap.wrong == 0);
    row(
        "wrong verdicts while databases are swapped",
        "none".to_owned(),
        Some(wrong),
    )?;
    let memory = mib(outcome.memory.bytes());
    row(
        "kernel memory, world, 100 policies, 1000 workloads",
        format!("at most {MEMORY_MIB} MiB"),
        Some((format!("{memory:.1} MiB"), memory <= MEMORY_MIB)),
    )?;
    for (name, growth, few, many) in GROWTH {
        let must = "nothing measurable".to_owned();
        row(name, must, grown(outcome, growth, few, many))?;
    }
    let node = &outcome.node;
    for (name, latencies, most) in [
        (
            "push of policies to enforced, 99th percentile",
            &node.push,
            PUSH_MS,
        ),
        ("new cgroup to tagged, 99th percentile", &node.tag, TAG_MS),
        (
            "refused connect to its record at a sink, 99th percentile",
            &node.record,
            RECORD_MS,
        ),
    ] {
        let p99 = latencies.p99;
        let measured = Some((format!("{p99:.1} ms"), p99 <= most));
        row(name, format!("at most {most} ms"), measured)?;
    }
    let mut to_file = outcome.events.iter();
    let to_file = to_file.find(|rate| (&*rate.format, &*rate.sink) == ("ecs", "file"));
    let to_file = to_file.map(|rate| {
        let rate = rate.a_second_of_core.median;
        (format!("{rate:.0}"), rate >= EVENTS)
    });
    row(
        "records of refusals to a file, a second of one core",
        format!("at least {EVENTS}"),
        to_file,
    )?;
    let (less, more) = others(outcome);
    list(text, "## What costs more than enforcer", &more)?;
    list(text, "## What costs less than enforcer", &less)?;
    writeln!(
        text,
        "\nNot measured by this bench: the host side of a pod's interface."
    )?;
    Ok(())
}

/// By how much many cost more than few. Overlapping quartiles are no difference.
fn grown(outcome: &Outcome, growth: &str, few: &str, many: &str) -> Option<(String, bool)> {
    let mut comparisons = outcome.growth.iter();
    let comparison = comparisons.find(|one| one.load.ends_with(growth))?;
    let [few, many] = [few, many].map(|name| {
        let row = comparison.rows.iter().find(|row| row.name == name)?;
        row.ratio
    });
    let (few, many) = (few?, many?);
    let more = (many.median / few.median - 1.0) * 100.0;
    Some((format!("{more:+.1} %"), many.lower <= few.upper))
}

fn list(text: &mut String, heading: &str, lines: &[String]) -> Result<()> {
    writeln!(text, "\n{heading}\n")?;
    if lines.is_empty() {
        writeln!(text, "Nothing of what was measured.")?;
    }
    for line in lines {
        writeln!(text, "- {line}")?;
    }
    Ok(())
}

/// Lines about lists that cost less and about those that cost more.
fn others(outcome: &Outcome) -> (Vec<String>, Vec<String>) {
    let (mut less, mut more) = (vec![], vec![]);
    for comparison in &outcome.comparisons {
        let Some(own) = ratio_of(comparison, OWN) else {
            continue;
        };
        for row in &comparison.rows {
            let is_list = outcome
                .loading
                .iter()
                .any(|loading| loading.name == row.name);
            let Some(ratio) = row.ratio.filter(|_| is_list) else {
                continue;
            };
            let line = format!(
                "{}: {} {:.3}, enforcer {own:.3}",
                comparison.load, row.name, ratio.median
            );
            // Overlapping quartiles are no difference.
            if ratio.upper < own {
                less.push(line);
            } else if ratio.lower > own {
                more.push(line);
            }
        }
    }
    (less, more)
}

/// As `compare` names it.
const OWN: &str = "enforcer, world";

fn own(outcome: &Outcome, load: &str) -> Option<f64> {
    let comparison = outcome.comparisons.iter().find(|one| one.load == load)?;
    ratio_of(comparison, OWN)
}

fn ratio_of(comparison: &Comparison, name: &str) -> Option<f64> {
    let row = comparison.rows.iter().find(|row| row.name == name)?;
    Some(row.ratio?.median)
}
