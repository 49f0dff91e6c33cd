//! Metrics are what Prometheus takes, and say what `status` says.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
};

use enforcer_tests::lab::{Node, Peer, Probe, World};

/// `GET /metrics`, without its header.
fn scrape(address: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(
        stream,
        "GET /metrics HTTP/1.1\r\nHost: enforcer\r\nConnection: close\r\n\r\n"
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a header");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    body.to_owned()
}

fn promtool(text: &str) {
    let mut check = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool: `cargo xtask setup` installs it");
    let mut stdin = check.stdin.take().expect("a pipe");
    stdin.write_all(text.as_bytes()).expect("written");
    drop(stdin);
    let output = check.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

fn value(text: &str, sample: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(sample))?;
    line.trim().parse().ok()
}

#[test]
fn metrics_say_what_status_says() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let node = Node::new().expect("a node");
    let llm = node.root.child("llm").expect("a cgroup");
    node.allow("llm", &["DE"]).expect("a policy");
    let daemon = node
        .start_with(&["--metrics", "127.0.0.1:0"])
        .expect("a daemon");
    let address = daemon.metrics().expect("it says where").to_owned();
    let probe = Probe::new(&world).in_cgroup(&llm);
    let ways = ["tcp4 52.0.0.1:443", "tcp4 52.0.0.2:443", "udp 3.64.0.1:53"];
    probe.run(&ways).expect("outcomes");

    let text = scrape(&address);
    promtool(&text);
    let denied = r#"enforcer_decisions_total{mode="enforce",policy="node",verdict="deny"}"#;
    assert_eq!(value(&text, denied), Some(2.0), "{text}");
    assert_eq!(value(&text, "enforcer_generation"), Some(1.0));
    assert_eq!(
        value(&text, r#"enforcer_table_entries{table="flows"}"#),
        Some(2.0)
    );
    assert!(value(&text, "enforcer_policy_apply_seconds").is_some_and(|it| it > 0.0));
    let covered = value(&text, r#"enforcer_workloads{state="covered"}"#);
    assert_eq!(covered, Some(1.0));

    // Counts stay with the rule that made them, whatever its number is in the next image.
    node.allow("llm", &["US"]).expect("a policy");
    node.wait_for("policies-loaded", 1).expect("loaded");
    let text = scrape(&address);
    promtool(&text);
    assert_eq!(value(&text, denied), Some(2.0), "{text}");
    assert_eq!(value(&text, "enforcer_generation"), Some(2.0));
    let status = node.status().expect("a status");
    let decided = status["decisions"].as_array().expect("an array");
    let denied: u64 = decided.iter().filter_map(|it| it["denied"].as_u64()).sum();
    assert_eq!(denied, 2, "{status:#}");
}
