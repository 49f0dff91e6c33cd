//! What the verifier walked for each program, against `enforcer-ebpf/verifier-budget.toml`.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::{cmd, image, setup::Toolchain};

const BUDGET_FILE: &str = "enforcer-ebpf/verifier-budget.toml";

/// What `enforcer doctor --json` says of the programs it loaded.
#[derive(Deserialize)]
struct Doctor {
    programs: Vec<Program>,
}

#[derive(Deserialize)]
struct Program {
    name: String,
    /// Instructions the verifier processed (kernel 5.16 and later), over all paths.
    verified_instructions: u32,
}

/// Loads every program and compares.
///
/// # Errors
/// Not root, a program does not load, exceeds its budget or has none.
pub(super) fn check(toolchain: &Toolchain) -> Result<()> {
    if !cmd::is_root() {
        bail!("loading programs needs root; `--skip-kernel` leaves this step out");
    }
    let budgets = fs::read_to_string(cmd::root().join(BUDGET_FILE)).context(BUDGET_FILE)?;
    let budgets = toml::from_str(&budgets).context(BUDGET_FILE)?;
    let binary = image::binary(toolchain)?;
    let said = cmd::read(cmd::at_root(binary).args(["doctor", "--json"]))?;
    let doctor: Doctor = serde_json::from_str(&said).context("`enforcer doctor --json`")?;
    let (table, findings) = compare(&doctor.programs, &budgets);
    print!("{table}");
    super::report(findings)
}

/// The table to show, and one finding for each program that is not within a budget.
fn compare(programs: &[Program], budgets: &BTreeMap<String, u32>) -> (String, Vec<String>) {
    let mut table = row("program", "count", "budget");
    let mut findings = Vec::new();
    if programs.is_empty() {
        findings.push("no program was loaded".to_owned());
    }
    for Program {
        name,
        verified_instructions: count,
    } in programs
    {
        let budget = budgets.get(name);
        let shown = budget.map_or_else(|| "none".to_owned(), u32::to_string);
        table += &row(name, &count.to_string(), &shown);
        match budget {
            None => findings.push(format!("{name}: has no line in {BUDGET_FILE}")),
            Some(budget) if count > budget => findings.push(format!(
                "{name}: the verifier walks {count} instructions, the budget is {budget}"
            )),
            Some(_) => {}
        }
    }
    for name in budgets.keys() {
        if !programs.iter().any(|program| program.name == *name) {
            table += &row(name, "not here", &budgets[name].to_string());
        }
    }
    (table, findings)
}

fn row(program: &str, count: &str, budget: &str) -> String {
    format!("{program:<20} {count:>10} {budget:>10}\n")
}

#[cfg(test)]
mod tests {
    use super::{BTreeMap, Doctor, compare};

    fn findings(programs: &str) -> Vec<String> {
        let doctor: Doctor = serde_json::from_str(programs).unwrap();
        let budgets = BTreeMap::from([("connect4".to_owned(), 100), ("lsm".to_owned(), 5)]);
        compare(&doctor.programs, &budgets).1
    }

    #[test]
    fn a_program_within_its_budget_passes() {
        let said = r#"{"programs": [{"name": "connect4", "verified_instructions": 100}]}"#;
        assert_eq!(findings(said), [""; 0]);
    }

    #[test]
    fn programs_over_and_without_budget_are_found() {
        let said = r#"{"kernel": "6.18", "programs": [
            {"name": "connect4", "verified_instructions": 101, "tag": "a"},
            {"name": "egress", "verified_instructions": 1}]}"#;
        let found = findings(said);
        assert!(
            found[0].contains("walks 101 instructions, the budget is 100"),
            "{found:?}"
        );
        assert!(found[1].starts_with("egress: has no line"), "{found:?}");
    }

    #[test]
    fn to_load_nothing_is_no_success() {
        assert_eq!(findings(r#"{"programs": []}"#).len(), 1);
    }
}
