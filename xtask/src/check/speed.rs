//! How many instructions each stage takes, against `guards/budget.toml`.
//!
//! Callgrind counts them, so the figures are those of the code and not of the machine's other work:
//! a busy machine gives the same ones. What the kernel programs take is the verifier's to count
//! (`check kernel`) and the bench's to time.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{build, cmd};

const BUDGET_FILE: &str = "guards/budget.toml";

/// A function of the guards, which callgrind knows by this name: it counts inside of it, and writes
/// a file after each call.
const COUNTED: &str = "enforcer_guards_counted";

/// A stage and what doing it once takes, in instructions.
type Count = (String, u64);

/// Runs every stage and compares.
///
/// # Errors
/// A stage does not run, exceeds its budget or has none.
pub(super) fn check() -> Result<()> {
    let budgets = fs::read_to_string(cmd::root().join(BUDGET_FILE)).context(BUDGET_FILE)?;
    let budgets: BTreeMap<String, u64> = toml::from_str(&budgets).context(BUDGET_FILE)?;
    let counts = count(&guards(&[])?, "all")?;
    let (table, mut findings) = compare(&counts, &budgets);
    print!("{table}");
    for stage in budgets.keys() {
        if counts.iter().all(|(name, _)| name != stage) {
            findings.push(format!(
                "{stage}: {BUDGET_FILE} names it, and there is no such stage"
            ));
        }
    }
    super::report(findings)
}

/// The program that runs the stages.
fn guards(options: &[&str]) -> Result<PathBuf> {
    let mut build = cmd::cargo(&[
        "build",
        "--quiet",
        "--release",
        "--package",
        "enforcer-guards",
    ]);
    cmd::run(build.args(options))?;
    Ok(build::target_directory()?.join("release/enforcer-guards"))
}

/// Runs a set of stages under callgrind.
fn count(guards: &Path, stages: &str) -> Result<Vec<Count>> {
    let directory = tempfile::tempdir()?;
    let out = directory.path().join("counts");
    let mut valgrind = cmd::at_root("valgrind");
    valgrind
        .args(["--quiet", "--tool=callgrind"])
        // Not `--toggle-collect`: that counts no thread but the one that calls.
        .arg(format!("--zero-before={COUNTED}"))
        .arg(format!("--dump-after={COUNTED}"))
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(guards)
        .arg(stages);
    let said = cmd::read(&mut valgrind)?;
    let stages = said.lines().map(str::split_whitespace).zip(1..);
    let stages = stages.map(|(mut words, number)| {
        let (Some(name), Some(times)) = (words.next(), words.next()) else {
            bail!("the guards said `{said}`");
        };
        let dump = fs::read_to_string(out.with_extension(number.to_string()))?;
        let instructions = total(&dump).with_context(|| format!("{name}: no total"))?;
        Ok((name.to_owned(), instructions / times.parse::<u64>()?.max(1)))
    });
    let counts: Vec<Count> = stages.collect::<Result<_>>()?;
    ensure!(!counts.is_empty(), "no stage was run");
    Ok(counts)
}

/// The instructions of a file that callgrind wrote.
fn total(dump: &str) -> Option<u64> {
    let total = dump
        .lines()
        .find_map(|line| line.strip_prefix("totals: "))?;
    total.trim().parse().ok()
}

/// The table to show, and one finding for each stage that is not within a budget.
fn compare(counts: &[Count], budgets: &BTreeMap<String, u64>) -> (String, Vec<String>) {
    let mut table = row("stage", "instructions", "budget");
    let mut findings = Vec::new();
    for (stage, count) in counts {
        let budget = budgets.get(stage);
        let shown = budget.map_or_else(|| "none".to_owned(), u64::to_string);
        table += &row(stage, &count.to_string(), &shown);
        let room = count + count.div_ceil(20);
        match budget {
            None => findings.push(format!(
                "{stage}: has no line in {BUDGET_FILE}: it takes {count} instructions, so {room} \
                 leaves room"
            )),
            Some(budget) if count > budget => findings.push(format!(
                "{stage}: takes {count} instructions, the budget is {budget}; if what it does is worth \
                 them, say {room} in {BUDGET_FILE}"
            )),
            Some(_) => {}
        }
    }
    (table, findings)
}

fn row(stage: &str, count: &str, budget: &str) -> String {
    format!("{stage:<20} {count:>12} {budget:>12}\n")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{BTreeMap, BUDGET_FILE, compare, count, guards, total};
    use crate::cmd;

    #[test]
    fn stages_over_and_without_budget_are_found() {
        let counts = vec![
            ("within".to_owned(), 100),
            ("over".to_owned(), 101),
            ("new".to_owned(), 7),
        ];
        let budgets = ["within", "over"].map(|name| (name.to_owned(), 100));
        let (_, found) = compare(&counts, &BTreeMap::from(budgets));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].starts_with("over: takes 101 instructions, the budget is 100"),
            "{found:?}"
        );
        assert!(
            found[0].ends_with("say 107 in guards/budget.toml"),
            "{found:?}"
        );
        assert!(found[1].starts_with("new: has no line"), "{found:?}");
    }

    #[test]
    fn a_total_is_read() {
        assert_eq!(
            total("events: Ir\nsummary: 4\n\ntotals: 4711\n"),
            Some(4711)
        );
        assert_eq!(total("events: Ir\n"), None);
    }

    /// The guards once more, with a decision that wastes a few instructions.
    #[test]
    fn a_slower_decision_exceeds_every_budget_of_decisions() {
        let budgets = fs::read_to_string(cmd::root().join(BUDGET_FILE)).unwrap();
        let budgets = toml::from_str(&budgets).unwrap();
        let slow = guards(&["--features", "slow-decision"]).unwrap();
        let counts = count(&slow, "decisions").unwrap();
        let (table, found) = compare(&counts, &budgets);
        assert_eq!(found.len(), counts.len(), "{table}");
        assert!(
            found
                .iter()
                .all(|finding| finding.contains("the budget is"))
        );
    }
}
