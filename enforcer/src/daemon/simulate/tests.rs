use std::fs;

use jiff::Timestamp;

use super::*;
use crate::policy::load_text;

const INSIDE: &str = "\
apiVersion: enforcer.dev/v1alpha1
kind: EgressPolicy
metadata: {name: inside}
spec:
  selector: [{cgroups: [/llm]}]
  mode: enforce
  default: deny
  rules:
    - {name: private, action: allow, peers: [{cidrs: [10.0.0.0/8]}], ports: [443/tcp]}
";

fn flow(cgroup: &str, to: &str, port: u16, verdict: &str, reason: Option<&str>) -> FlowRecord {
    let ruled = reason == Some("rule");
    FlowRecord {
        workload: Some(cgroup.to_owned()),
        cgroup: Some(cgroup.to_owned()),
        destination: to.parse().expect("an address"),
        port: Some(port),
        protocol: "tcp".to_owned(),
        name: None,
        country: None,
        asn: None,
        as_name: None,
        anycast: false,
        range: None,
        verdict: verdict.to_owned(),
        reason: reason.map(str::to_owned),
        policy: ruled.then(|| "old".to_owned()),
        rule: ruled.then(|| "default".to_owned()),
        file: ruled.then(|| "old.yaml".into()),
        line: ruled.then_some(3),
        count: u64::from(port),
        bytes: 0,
        first_seen: Timestamp::UNIX_EPOCH,
        last_seen: Timestamp::UNIX_EPOCH,
    }
}

fn outcome(text: &str, flows: Vec<FlowRecord>) -> Simulation {
    let policies = load_text("inside.yaml", text).expect("sound").policies;
    simulate(flows, &policies, &GeoSet::default()).expect("it fits")
}

#[test]
fn changes_name_the_old_and_the_new_rule() {
    let simulation = outcome(
        INSIDE,
        vec![
            flow("/llm/worker", "10.0.0.1", 443, "deny", Some("rule")),
            flow("/llm", "10.0.0.1", 80, "allow", Some("released")),
            flow("/llm", "10.0.0.2", 443, "allow", Some("rule")),
            flow("/llm", "192.0.2.1", 443, "deny", Some("rule")),
            flow("/other", "192.0.2.1", 443, "deny", Some("rule")),
        ],
    );
    assert_eq!((simulation.judged, simulation.not_judged), (5, 0));
    let told: Vec<_> = simulation
        .changes
        .iter()
        .map(|change| {
            let Judged { verdict, rule, .. } = &change.new;
            (
                &*change.old.verdict,
                &**verdict,
                rule.as_deref(),
                change.new.line,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("deny", "allow", Some("private"), Some(9)),
            ("deny", "allow", None, None),
            ("allow", "deny", Some("default"), Some(7)),
        ]
    );
    assert_eq!(simulation.changes[0].old.line, Some(3));
}

#[test]
fn audit_is_a_verdict_of_its_own() {
    let text = INSIDE.replace("enforce\n", "audit\n");
    let simulation = outcome(
        &text,
        vec![flow("/llm", "8.8.8.8", 443, "deny", Some("rule"))],
    );
    assert_eq!(simulation.changes[0].new.verdict, "would_deny");
}

#[test]
fn what_no_policy_decided_is_counted_and_left_out() {
    let mut nameless = flow("/llm", "8.8.8.8", 443, "allow", Some("rule"));
    nameless.cgroup = None;
    let simulation = outcome(
        INSIDE,
        vec![
            flow("/llm", "10.0.0.1", 443, "deny", Some("isolated")),
            flow("/llm", "10.0.0.1", 443, "deny", None),
            nameless,
        ],
    );
    assert_eq!((simulation.judged, simulation.not_judged), (0, 3));
    assert!(simulation.changes.is_empty());
}

#[test]
fn every_form_of_the_file_is_read() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("flows");
    let flow = flow("/llm", "10.0.0.1", 443, "deny", Some("rule"));
    let one = serde_json::to_string(&flow).expect("JSON");
    for text in [
        format!("{one}\n{one}\n"),
        format!("[{one},{one}]"),
        format!("{{\"recording\":true,\"flows\":[{one},{one}]}}"),
    ] {
        fs::write(&path, &text).expect("written");
        let flows = read(&path).expect(&text);
        assert_eq!(flows, [flow.clone(), flow.clone()], "{text}");
    }
    fs::write(&path, format!("{one}\n{{\"a\": 1}}\n")).expect("written");
    let error = read(&path).expect_err("no flow").to_string();
    assert!(error.contains("value 2"), "{error}");
}
