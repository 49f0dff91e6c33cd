//! What the built-in providers promise, and what agreements do.

use std::{fs, path::PathBuf};

use enforcer::policy::{Code, Loaded, Minute, Providers, Regions, load_at};
use jiff::civil::{Date, date};

use crate::{golden, render};

const TODAY: Date = date(2026, 11, 22);

fn built_in() -> Providers {
    let regions = Regions::built_in(TODAY).expect("the data files are sound");
    Providers::built_in(&regions).expect("the data files are sound")
}

#[test]
fn hosts_and_where_they_process() {
    let text: String = built_in().iter().map(render::provider).collect();
    golden::check("providers.txt", &text);
}

#[test]
fn every_endpoint_has_a_source_and_was_checked() {
    for provider in built_in().iter() {
        assert!(provider.agreement.is_none(), "{}", provider.name);
        for endpoint in &provider.endpoints {
            assert!(endpoint.source.is_some(), "{}", provider.name);
            assert!(endpoint.checked.is_some(), "{}", provider.name);
        }
    }
}

#[test]
fn every_file_is_compiled_in() {
    let files = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../policies/providers");
    let files = fs::read_dir(files).expect("policies/providers");
    assert_eq!(files.count(), built_in().iter().count());
}

fn policy(dpa: &str) -> String {
    format!(
        "{{apiVersion: enforcer.dev/v1alpha1, kind: Provider, metadata: {{name: openai}}, spec: {{dpa: {dpa}}}}}
---
apiVersion: enforcer.dev/v1alpha1
kind: EgressPolicy
metadata: {{name: strict}}
spec:
  selector: [{{exec: true}}]
  requireDpa: true
  dns: {{resolvers: [10.0.0.53]}}
  rules:
    - {{name: ai, action: allow, peers: [{{providers: [openai]}}]}}
"
    )
}

fn load(dpa: &str, now: Minute) -> Loaded {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a.yaml");
    fs::write(&path, policy(dpa)).expect("a file");
    load_at(&[path], now).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn an_agreement_is_warned_of_before_it_ends_and_after() {
    let dpa = "{status: signed, reference: DPA-7, expires: 2026-12-31}";
    let warned = |now: Date| {
        let loaded = load(dpa, Minute::start_of(now));
        let warnings = loaded
            .warnings
            .iter()
            .map(|one| (one.code(), one.message().to_owned()));
        warnings.collect::<Vec<_>>()
    };
    assert_eq!(warned(date(2026, 11, 22)), []);
    let ends = "the agreement with `openai` ends at 2027-01-01T00:00Z: it is denied from then on";
    assert_eq!(
        warned(date(2026, 12, 2)),
        [(Code::AgreementValidity, ends.to_owned())]
    );
    let ended = "the agreement with `openai` ended at 2027-01-01T00:00Z: it is denied";
    assert_eq!(
        warned(date(2027, 1, 1)),
        [(Code::AgreementValidity, ended.to_owned())]
    );
}

#[test]
fn an_agreement_ends_at_its_minute() {
    let loaded = load(
        "{status: signed, expires: 2026-11-22T17:30Z}",
        Minute::start_of(TODAY),
    );
    let provider = loaded.providers.get("openai").expect("it is built in");
    let end = Minute(Minute::start_of(TODAY).0 + 17 * 60 + 30);
    assert_eq!(end.to_string(), "2026-11-22T17:30Z");
    assert!(provider.has_agreement(Minute(end.0 - 1)));
    assert!(!provider.has_agreement(end));
    assert_eq!(provider.agreement_ends(Minute(end.0 - 1)), Some(end));
    assert_eq!(provider.agreement_ends(end), None);
    assert!(provider.built_in && !provider.endpoints.is_empty());
}

#[test]
fn what_is_not_signed_is_no_agreement() {
    for status in ["pending", "terminated"] {
        let loaded = load(&format!("{{status: {status}}}"), Minute::start_of(TODAY));
        let provider = loaded.providers.get("openai").expect("it is built in");
        assert!(!provider.has_agreement(Minute::start_of(TODAY)), "{status}");
        assert_eq!(loaded.warnings.len(), 1, "{status}");
    }
}
