use std::{fs, path::Path};

use clap::Parser;

use super::{CheckArgs, Outcome, outcome as check};
use crate::policy::Color;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: CheckArgs,
}

const REGION: &str = "{apiVersion: enforcer.dev/v1alpha1, kind: Region, \
    metadata: {name: home}, spec: {members: [{countries: [DE]}]}}";
const LAX: &str = "{apiVersion: enforcer.dev/v1alpha1, kind: EgressPolicy, \
    metadata: {name: lax}, spec: {selector: [{exec: true}], \
    rules: [{name: all, action: allow}]}}";

fn outcome(directory: &Path, flags: &[&str]) -> Outcome {
    let path = directory.to_str().expect("a plain path");
    let words = ["check", path].into_iter().chain(flags.iter().copied());
    check(&Line::parse_from(words).args, None).expect("it fits")
}

fn human(outcome: &Outcome) -> String {
    let mut out = Vec::new();
    outcome
        .write_human(&mut out, Color::Never)
        .expect("vectors grow");
    String::from_utf8(out).expect("text")
}

fn json(outcome: &Outcome) -> serde_json::Value {
    let mut out = Vec::new();
    outcome.write_json(&mut out).expect("vectors grow");
    serde_json::from_slice(&out).expect("JSON")
}

#[test]
fn says_what_was_checked() {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("home.yaml"), REGION).expect("a file");
    let outcome = outcome(directory.path(), &[]);
    assert!(outcome.ok);
    assert_eq!(human(&outcome), "0 policies, 1 region: ok\n");
    assert_eq!(json(&outcome)["regions"], 1);
}

#[test]
fn warnings_fail_only_strict_checks() {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("lax.yaml"), LAX).expect("a file");
    let lenient = outcome(directory.path(), &[]);
    assert!(lenient.ok);
    assert!(human(&lenient).ends_with("1 warning\n1 policy, 0 regions: ok\n"));
    let strict = outcome(directory.path(), &["--strict"]);
    assert!(!strict.ok);
    assert!(human(&strict).ends_with("1 warning\n1 policy, 0 regions: not ok\n"));
}

#[test]
fn errors_are_listed_for_machines() {
    let directory = tempfile::tempdir().expect("a directory");
    let broken = LAX.replace("allow", "alow");
    let column = broken.find("alow").expect("it is there") + 1;
    fs::write(directory.path().join("lax.yaml"), broken).expect("a file");
    let outcome = outcome(directory.path(), &["--format", "json"]);
    assert!(!outcome.ok);
    let report = json(&outcome);
    assert_eq!(report["ok"], false);
    assert_eq!(report["policies"], serde_json::Value::Null);
    let finding = &report["findings"][0];
    assert_eq!(finding["code"], "unknown-value");
    assert_eq!(finding["severity"], "error");
    assert_eq!(finding["help"], "did you mean `allow`?");
    assert_eq!(finding["line"], 1);
    assert_eq!(finding["column"], column);
    assert_eq!(finding["endColumn"], column + "alow".len());
}
