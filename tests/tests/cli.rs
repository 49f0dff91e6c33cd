//! What the command line answers without enforcing anything.

use std::{
    fs,
    process::{Command, Output},
};

use enforcer_tests::lab::{self, assert_fields, assert_there};
use serde_json::{Value, json};
use tempfile::TempDir;

fn enforcer(words: &[&str]) -> Output {
    Command::new(lab::binary("enforcer").expect("enforcer"))
        .args(words)
        .output()
        .expect("enforcer")
}

#[track_caller]
fn answer(words: &[&str]) -> Value {
    let output = enforcer(words);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The database of the laboratory: the built-in one takes longer to read.
fn small_geo() -> (TempDir, String) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("laboratory.mmdb");
    lab::write_geo(&path).expect("a database");
    let name = path.to_str().expect("a plain path").to_owned();
    (directory, name)
}

#[test]
fn explain_names_the_line_that_decides() {
    let policy = lab::policy("sovereign-llm.yaml");
    let text = fs::read_to_string(&policy).expect("the policy");
    let line_of = |what: &str| {
        let before = text.lines().take_while(|line| !line.contains(what));
        before.count() + 1
    };
    let file = policy.to_str().expect("a plain path");
    assert_fields(
        &answer(&[
            "explain",
            "--policy",
            file,
            "--to",
            "8.8.8.8:443/tcp",
            "--json",
        ]),
        &[
            ("/verdict", json!("deny")),
            ("/would_deny", json!(false)),
            ("/reason", json!("rule")),
            ("/policy", json!("sovereign-llm")),
            ("/rule", json!("default")),
            ("/action", json!("deny")),
            ("/mode", json!("enforce")),
            ("/file", json!(file)),
            ("/line", json!(line_of("default: deny"))),
            ("/country", json!("US")),
            ("/asn", json!(15169)),
            ("/anycast", json!(true)),
            ("/database", json!("built-in")),
            ("/countries_agree", json!(true)),
        ],
    );
    let (_directory, geo) = small_geo();
    let explain = |to: &str| {
        answer(&[
            "explain", "--policy", file, "--geo", &geo, "--to", to, "--json",
        ])
    };
    assert_fields(
        &explain("[2a05:d014::1]:443/udp"),
        &[
            ("/database", json!("laboratory.mmdb")),
            ("/verdict", json!("allow")),
            ("/rule", json!("in-region")),
            ("/line", json!(line_of("name: in-region"))),
            ("/country", json!("DE")),
        ],
    );
    assert_fields(
        &explain("169.254.169.254"),
        &[
            ("/verdict", json!("deny")),
            ("/rule", json!("no-cloud-metadata")),
            ("/line", json!(line_of("name: no-cloud-metadata"))),
            ("/country", Value::Null),
            ("/range", json!("metadata")),
        ],
    );
    assert_fields(
        &explain("[::ffff:52.0.0.1]:443/tcp"),
        &[("/verdict", json!("deny")), ("/country", json!("US"))],
    );
    assert_fields(
        &explain("[64:ff9b::3.64.0.1]:443/tcp"),
        &[
            ("/verdict", json!("allow")),
            ("/judged", json!("3.64.0.1")),
            ("/country", json!("DE")),
        ],
    );
    assert_fields(
        &explain("127.0.0.1:80/tcp"),
        &[("/verdict", json!("allow")), ("/reason", json!("loopback"))],
    );
}

#[test]
fn explain_says_what_is_wrong_with_the_question() {
    let policy = lab::policy("sovereign-llm.yaml");
    let file = policy.to_str().expect("a plain path");
    for (words, status) in [
        (
            &["explain", "--policy", file, "--to", "8.8.8.8:99999"][..],
            2,
        ),
        (&["explain", "--policy", file, "--to", "8.8.8.8:443/ftp"], 2),
        (&["explain", "--policy", file], 2),
        (&["explain", "--to", "8.8.8.8"], 2),
        (
            &["explain", "--policy", "/nowhere.yaml", "--to", "8.8.8.8"],
            1,
        ),
        (
            &[
                "explain", "--policy", file, "--geo", file, "--to", "8.8.8.8",
            ],
            1,
        ),
    ] {
        let output = enforcer(words);
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        assert!(
            output.stdout.is_empty() && !output.stderr.is_empty(),
            "{output:?}"
        );
    }
}

#[test]
fn geo_lookup_says_where_an_address_is() {
    assert_fields(
        &answer(&["geo", "lookup", "3.64.0.1", "--json"]),
        &[
            ("/address", json!("3.64.0.1")),
            ("/country", json!("DE")),
            ("/asn", json!(16509)),
            ("/anycast", json!(false)),
            ("/databases/0/database", json!("built-in")),
            ("/databases/0/country", json!("DE")),
        ],
    );
    let (_directory, geo) = small_geo();
    let lookup = |address: &str| answer(&["geo", "lookup", address, "--geo", &geo, "--json"]);
    assert_fields(
        &lookup("8.8.8.8"),
        &[
            ("/country", json!("ZZ")),
            ("/databases/0/database", json!("laboratory.mmdb")),
        ],
    );
    assert_fields(
        &lookup("10.0.0.1"),
        &[("/range", json!("private")), ("/country", json!("ZZ"))],
    );
    let embedded = lookup("2002:3400:1::1");
    assert_fields(
        &embedded,
        &[("/judged", json!("52.0.0.1")), ("/country", json!("US"))],
    );
    assert_there(&embedded, &["/as_name", "/databases/0/built"]);

    assert_eq!(enforcer(&["geo", "lookup", "here"]).status.code(), Some(2));
    let missing = enforcer(&["geo", "lookup", "8.8.8.8", "--geo", "/nowhere.mmdb"]);
    assert_eq!(missing.status.code(), Some(1));
}

#[test]
fn policy_check_tells_findings_from_usage() {
    let policies = lab::policy("");
    let sound = policies.to_str().expect("a plain path");
    assert_eq!(enforcer(&["policy", "check", sound]).status.code(), Some(0));
    let directory = tempfile::tempdir().expect("a directory");
    let broken = directory.path().join("broken.yaml");
    fs::write(
        &broken,
        "apiVersion: enforcer.dev/v1alpha1\nkind: EgressPolitics\n",
    )
    .expect("a file");
    let broken = broken.to_str().expect("a plain path");
    let output = enforcer(&["policy", "check", broken]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("broken.yaml:2:7"), "{said}");

    let output = enforcer(&["policy", "check", broken, "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["ok"], false);
    let findings = report["findings"].as_array().expect("findings");
    let kind = findings
        .iter()
        .find(|it| it["line"] == 2 && it["column"] == 7);
    assert_there(
        kind.expect("a finding"),
        &["/code", "/severity", "/message"],
    );
    let missing = enforcer(&["policy", "check", "/nowhere.yaml"]);
    assert_eq!(missing.status.code(), Some(1));
    for words in [&["policy", "check"][..], &["policy"], &["policies"]] {
        assert_eq!(enforcer(words).status.code(), Some(2), "{words:?}");
    }
}

#[test]
fn doctor_finds_nothing_missing() {
    let report = answer(&["doctor", "--json"]);
    let checks = report["checks"].as_array().expect("checks");
    assert!(checks.iter().all(|check| check["ok"] == true), "{report:#}");
    let programs = report["programs"].as_array().expect("programs");
    let walked = programs
        .iter()
        .map(|program| program["verified_instructions"].as_u64());
    // The verifier gives up at a million.
    assert!(
        walked
            .into_iter()
            .all(|count| count.is_some_and(|count| count < 500_000)),
        "{report:#}"
    );
}
