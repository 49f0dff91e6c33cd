//! Recorded flows are what happened, and what is simulated with them is what will happen.

use std::{collections::BTreeMap, fs};

use enforcer_tests::lab::{Cgroup, Node, Peer, Probe, World, assert_fields};
use serde_json::{Value, json};

/// Attempts, and where each goes as flows name it.
const WAYS: [(&str, &str, &str); 7] = [
    ("tcp4 52.0.0.1:443", "52.0.0.1", "tcp"),
    ("tcp4 3.64.0.1:443", "3.64.0.1", "tcp"),
    ("tcp6 [2600:1f14::1]:443", "2600:1f14::1", "tcp"),
    ("tcp6 [2a05:d014::1]:443", "2a05:d014::1", "tcp"),
    ("udp 52.0.0.2:53", "52.0.0.2", "udp"),
    ("udp 3.64.0.2:53", "3.64.0.2", "udp"),
    ("rawping 3.64.0.3", "3.64.0.3", "icmp"),
];

/// What became of each attempt, by what the one who made it saw.
fn attempt_all(world: &World, workload: &Cgroup) -> BTreeMap<(String, String), String> {
    let probe = Probe::new(world).in_cgroup(workload);
    let outcomes = probe.run(&WAYS.map(|way| way.0)).expect("outcomes");
    let seen = WAYS
        .iter()
        .zip(&outcomes)
        .map(|((_, ip, protocol), outcome)| {
            let refused = outcome.errno_name.as_deref() == Some("EPERM");
            assert_ne!(refused, outcome.reply, "{outcome:?}");
            let verdict = if refused { "deny" } else { "allow" };
            (
                ((*ip).to_owned(), (*protocol).to_owned()),
                verdict.to_owned(),
            )
        });
    seen.collect()
}

/// Flows as the daemon lists them.
fn recorded(flows: &Value) -> BTreeMap<(String, String), &Value> {
    let flows = flows["flows"].as_array().expect("an array");
    let key = |flow: &Value| {
        let text = |field: &str| flow[field].as_str().expect(field).to_owned();
        (text("destination"), text("protocol"))
    };
    flows.iter().map(|flow| (key(flow), flow)).collect()
}

#[test]
fn what_is_simulated_is_what_happens() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let node = Node::new().expect("a node");
    let llm = node.root.child("llm").expect("a cgroup");
    node.allow("llm", &["DE"]).expect("a policy");
    let daemon = node.start_with(&["--record-flows"]).expect("a daemon");
    let happened = attempt_all(&world, &llm);
    let flows = node.flows().expect("flows");
    assert_fields(
        &flows,
        &[("/recording", json!(true)), ("/dropped", json!(0))],
    );
    let told = recorded(&flows);
    assert_eq!(told.len(), happened.len(), "{flows:#}");
    for (key, verdict) in &happened {
        let rule = if verdict == "deny" {
            "default"
        } else {
            "countries"
        };
        let country = if verdict == "deny" { "US" } else { "DE" };
        assert_fields(
            told[key],
            &[
                ("/verdict", json!(verdict)),
                ("/reason", json!("rule")),
                ("/rule", json!(rule)),
                ("/policy", json!("node")),
                ("/country", json!(country)),
                ("/asn", json!(16509)),
                ("/count", json!(1)),
                ("/cgroup", json!(llm.below_mount())),
            ],
        );
    }

    // What one daemon recorded the next one knows.
    assert!(daemon.terminate().expect("ended").success());
    let _daemon = node.start_with(&["--record-flows"]).expect("a daemon");
    let flows = node.flows().expect("flows");
    assert_eq!(recorded(&flows).len(), happened.len());

    let directory = tempfile::tempdir().expect("a directory");
    let (file, next) = (
        directory.path().join("flows.json"),
        directory.path().join("next.yaml"),
    );
    fs::write(&file, flows.to_string()).expect("written");
    let simulate = |policy: &str| {
        fs::write(&next, policy).expect("written");
        let mut verb = node.instance.verb("policy").expect("enforcer");
        verb.arg("simulate").arg(&next).arg("--flows").arg(&file);
        verb.arg("--geo").arg(node.geo_file()).arg("--json");
        let output = verb.output().expect("it runs");
        let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        (output.status.code(), found)
    };
    let (code, same) = simulate(&node.policy("llm", &["DE"]));
    assert_eq!(code, Some(0), "{same:#}");
    assert_eq!(same["changes"], json!([]));
    assert_eq!(same["judged"], json!(WAYS.len()));

    let (code, found) = simulate(&node.policy("llm", &["US"]));
    assert_eq!(code, Some(1), "{found:#}");
    let mut expected = happened.clone();
    for change in found["changes"].as_array().expect("an array") {
        let text = |pointer: &str| {
            let value = change.pointer(pointer).and_then(Value::as_str);
            value.expect(pointer).to_owned()
        };
        let key = (text("/flow/destination"), text("/flow/protocol"));
        assert_eq!(
            expected.insert(key, text("/new/verdict")),
            Some(text("/old/verdict"))
        );
        assert!(text("/old/file").ends_with("node.yaml"), "{change}");
        assert!(text("/new/file").ends_with("next.yaml"), "{change}");
    }
    assert_ne!(expected, happened);
    node.allow("llm", &["US"]).expect("a policy");
    node.wait_for("policies-loaded", 1).expect("loaded");
    assert_eq!(attempt_all(&world, &llm), expected);

    fs::write(&file, "{\"a\": 1}").expect("written");
    let mut verb = node.instance.verb("policy").expect("enforcer");
    verb.arg("simulate").arg(&next).arg("--flows").arg(&file);
    assert_eq!(verb.output().expect("it runs").status.code(), Some(2));
}

/// Knows one address, which the database of the laboratory does not.
fn other_database() -> Vec<u8> {
    use mmdb_writer::{Value, Writer, ipnet::IpNet};
    let mut writer = Writer::new("Other");
    let record = Value::map([("country", Value::map([("iso_code", Value::from("FR"))]))]);
    let network: IpNet = "9.9.9.9/32".parse().expect("a network");
    writer.insert_value(network, record).expect("it fits");
    writer.to_bytes().expect("bytes")
}

#[test]
fn databases_are_compared_by_exit_status() {
    let node = Node::new().expect("a node");
    node.allow("llm", &["DE"]).expect("a policy");
    let directory = tempfile::tempdir().expect("a directory");
    let diff = |new: &std::path::Path| {
        let mut verb = node.instance.verb("geo").expect("enforcer");
        verb.arg("diff").arg(node.geo_file()).arg(new).arg("--json");
        verb.arg("--policy").arg(node.policy_file());
        let output = verb.output().expect("it runs");
        let said: Option<Value> = serde_json::from_slice(&output.stdout).ok();
        (output.status.code(), said)
    };
    let (code, same) = diff(&node.geo_file());
    assert_eq!(code, Some(0));
    assert_eq!(same.expect("JSON")["verdicts"], json!([]));
    let other = directory.path().join("other.mmdb");
    fs::write(&other, other_database()).expect("written");
    let (code, moved) = diff(&other);
    let moved = moved.expect("JSON");
    assert_eq!(code, Some(1), "{moved:#}");
    let lost = moved["verdicts"].as_array().expect("an array").iter();
    let lost: Vec<_> = lost
        .map(|change| {
            (
                &change["policy"],
                &change["service"],
                &change["new"]["verdict"],
            )
        })
        .collect();
    assert_eq!(lost, [(&json!("node"), &json!("any"), &json!("deny"))]);
    assert_eq!(diff(&directory.path().join("none.mmdb")), (Some(2), None));
}

#[test]
fn what_passes_is_not_recorded_unless_asked_for() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let node = Node::new().expect("a node");
    let llm = node.root.child("llm").expect("a cgroup");
    let free = node.root.child("free").expect("a cgroup");
    node.allow("llm", &["DE"]).expect("a policy");
    let daemon = node.start().expect("a daemon");
    attempt_all(&world, &llm);
    let flows = node.flows().expect("flows");
    assert_eq!(flows["recording"], json!(false));
    let refused = |flows: &Value| {
        let told = recorded(flows).into_values();
        told.filter(|flow| flow["verdict"] == "deny").count()
    };
    assert_eq!(recorded(&flows).len(), refused(&flows), "{flows:#}");
    assert_eq!(refused(&flows), 3);

    // Programs that record take the place of those that do not, and unselected workloads are seen.
    assert!(daemon.terminate().expect("ended").success());
    let _daemon = node.start_with(&["--record-flows"]).expect("a daemon");
    let probe = Probe::new(&world).in_cgroup(&free);
    assert!(
        probe
            .attempt("tcp4 52.0.0.9:443")
            .expect("an outcome")
            .reply
    );
    let flows = node.flows().expect("flows");
    let told = recorded(&flows);
    let free = told[&("52.0.0.9".to_owned(), "tcp".to_owned())];
    let fields = [("/verdict", json!("allow")), ("/reason", json!("released"))];
    assert_fields(free, &fields);
}
