//! `enforcer policy check` from outside: formats, judged by other programs' readers, and statuses.

mod junit;
mod sarif;

use std::{
    collections::HashMap,
    path::PathBuf,
    process::{Command, Output},
    sync::{LazyLock, Mutex},
};

use serde_json::Value;

/// What was answered so far: the same question need not read the databases again.
static ANSWERS: LazyLock<Mutex<HashMap<String, Output>>> = LazyLock::new(Mutex::default);

/// What `enforcer policy check` answers where the repository is, as in CI.
fn check(words: &[&str]) -> Output {
    let mut answers = ANSWERS.lock().expect("no test fails while it asks");
    let answer = answers.entry(words.join(" "));
    answer.or_insert_with(|| run(words)).clone()
}

fn run(words: &[&str]) -> Output {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    Command::new(env!("CARGO_BIN_EXE_enforcer"))
        .args(["policy", "check"])
        .args(words)
        .current_dir(root)
        .output()
        .expect("enforcer runs")
}

/// Broken files, doubtful files, flows with findings, and files without any.
const MIXED: [&str; 4] = [
    "enforcer/tests/policies/broken",
    "enforcer/tests/policies/doubtful",
    "enforcer/tests/policies/declared",
    "policies",
];

/// Everything that loads, so that flows are judged.
const LOADING: [&str; 2] = ["enforcer/tests/policies/declared", "policies"];

fn json(paths: &[&str]) -> Value {
    let output = check(&[paths, &["--format", "json"]].concat());
    assert_eq!(output.status.code(), Some(1));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn findings(report: &Value) -> &[Value] {
    report["findings"].as_array().expect("findings")
}

#[test]
fn statuses_tell_findings_from_checks_that_were_not_made() {
    let status = |words: &[&str]| check(words).status.code();
    let doubtful = "enforcer/tests/policies/doubtful/unreachable.yaml";
    assert_eq!(status(&["policies"]), Some(0));
    assert_eq!(status(&[doubtful]), Some(0));
    assert_eq!(status(&[doubtful, "--strict"]), Some(1));
    assert_eq!(
        status(&[&LOADING[..], &["--format", "json"]].concat()),
        Some(1)
    );
    assert_eq!(status(&["no-such-file.yaml"]), Some(1));
    assert_eq!(status(&[]), Some(2));
    assert_eq!(status(&["policies", "--format", "html"]), Some(2));
    assert_eq!(status(&["policies", "--geo", "no-such-file.mmdb"]), Some(2));
    let flows = [
        "policies/crm-integration.yaml",
        "--flows",
        "policies/flows/crm.yaml",
    ];
    assert_eq!(status(&flows), Some(0));
    assert_eq!(
        status(&["policies/air-gapped.yaml", "--flows", flows[2]]),
        Some(1)
    );
}

#[test]
fn nothing_is_coloured_where_nobody_looks() {
    let output = check(&LOADING);
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(!text.contains('\x1b'), "{text}");
    assert!(text.ends_with("declared flows: not ok\n"), "{text}");
}

#[test]
fn the_schema_is_printed_as_it_is_published() {
    let output = Command::new(env!("CARGO_BIN_EXE_enforcer"))
        .args(["policy", "schema"])
        .output()
        .expect("enforcer runs");
    assert!(output.status.success());
    assert!(output.stdout == enforcer::policy::SCHEMA.as_bytes());
}
