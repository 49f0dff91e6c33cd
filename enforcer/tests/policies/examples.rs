//! The shipped policies, as checked models.

use std::path::{Path, PathBuf};

use enforcer::policy::load_on;
use jiff::civil::date;

use crate::{golden, render};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies")
}

fn check_example(name: &str) {
    let path = examples().join(name).with_extension("yaml");
    let loaded = load_on(&[path], date(2026, 11, 22)).unwrap_or_else(|error| panic!("{error}"));
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    let text: String = loaded.policies.iter().map(render::policy).collect();
    let of_file = loaded
        .providers
        .iter()
        .filter(|one| one.agreement.is_some());
    let text = text + &of_file.map(render::provider).collect::<String>();
    golden::check(&format!("examples/{name}.txt"), &text);
}

#[test]
fn sovereign_llm() {
    check_example("sovereign-llm");
}

#[test]
fn crm_integration() {
    check_example("crm-integration");
}

#[test]
fn air_gapped() {
    check_example("air-gapped");
}

#[test]
fn audit_first() {
    check_example("audit-first");
}

#[test]
fn ai_providers() {
    check_example("ai-providers");
}

#[test]
fn one_namespace() {
    check_example("one-namespace");
}

#[test]
fn every_example_has_a_golden() {
    let listed = std::fs::read_dir(examples()).expect("policies/");
    let mut names: Vec<PathBuf> = listed
        .map(|entry| entry.expect("policies/").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .collect();
    names.sort();
    for path in &names {
        let name = path.file_stem().expect("a name").to_string_lossy();
        assert!(
            golden::path(&format!("examples/{name}.txt")).exists(),
            "{name}"
        );
    }
    let loaded = load_on(&[examples()], date(2026, 11, 22)).expect("all at once");
    assert_eq!(loaded.policies.len(), names.len());
    assert_eq!(loaded.region_documents, 6);
    assert!(loaded.provider_documents > 15);
}
