//! What holds and what does not, from the figures alone.

use std::fmt::Write as _;

use anyhow::Result;

use super::mib;
use crate::{outcome::Outcome, pairs::Comparison};

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
    let two = outcome.start.exec.get(1).map(|(_, ms)| ms.median);
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
        "\nNot measured by this bench: bulk TCP, names, traffic that is refused, the host side of a pod's \
         interface."
    )?;
    Ok(())
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
