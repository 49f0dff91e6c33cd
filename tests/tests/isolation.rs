//! Isolation cuts a workload off at once, and ends on time with the daemon or without.

use std::time::{Duration, Instant};

use enforcer_tests::lab::{Cgroup, Held, Node, Peer, Probe, World, assert_fields, assert_there};
use serde_json::{Value, json};

const DE: &str = "tcp4 3.64.0.1:443";

fn refused(world: &World, workload: &Cgroup, attempt: &str) -> bool {
    let probe = Probe::new(world).in_cgroup(workload);
    let outcome = probe.attempt(attempt).expect("an outcome");
    assert_eq!(outcome.reply, outcome.errno.is_none(), "{outcome:?}");
    outcome.errno_name.as_deref() == Some("EPERM")
}

fn isolate(node: &Node, workload: &Cgroup, time: &str, options: &[&str]) -> Value {
    let path = workload.below_mount();
    let words = [
        "isolate", &path, "--for", time, "--reason", "a test", "--json",
    ];
    let words = [&words[..], options].concat();
    node.instance.ask(&words).expect("isolated")
}

fn release(node: &Node, workload: &Cgroup) {
    let path = workload.below_mount();
    let released = node.instance.ask(&["release", &path, "--json"]);
    released.expect("released");
}

/// Nanoseconds of `CLOCK_BOOTTIME`, which the kernel compares the deadline with.
fn boottime_ns() -> u64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).expect("a clock");
    now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
}

/// Tries until a connection is answered; how long after the deadline that was.
fn late_by(world: &World, workload: &Cgroup, until_ns: u64) -> Duration {
    let patience = Instant::now() + Duration::from_secs(30);
    while refused(world, workload, DE) {
        assert!(Instant::now() < patience, "it never ended");
    }
    let now = boottime_ns();
    assert!(now >= until_ns, "it ended {} ns early", until_ns - now);
    Duration::from_nanos(now - until_ns)
}

fn sends(flow: &mut Held) -> bool {
    flow.send().expect("an outcome").reply
}

#[test]
fn established_flows_are_cut_and_go_on_afterwards() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let node = Node::new().expect("a node");
    let llm = node.root.child("llm").expect("a cgroup");
    let below = llm.child("below").expect("a cgroup");
    let beside = node.root.child("beside").expect("a cgroup");
    node.allow("*", &["DE"]).expect("a policy");
    let _daemon = node.start().expect("a daemon");
    let probe = Probe::new(&world).in_cgroup(&below);
    let mut stream = probe.start("hold 3.64.0.1:443").expect("a probe");
    let mut datagrams = probe.start("udp-hold [2a05:d014::1]:53").expect("a probe");
    for flow in [&mut stream, &mut datagrams] {
        assert!(flow.outcome().expect("connected").ok);
        assert!(sends(flow));
    }

    isolate(&node, &llm, "1h", &[]);
    assert!(!sends(&mut datagrams) && !sends(&mut stream));
    assert!(refused(&world, &llm, DE) && refused(&world, &below, DE));
    assert!(!refused(&world, &beside, DE));
    // A child that comes now is isolated like the rest.
    let late = llm.child("late").expect("a cgroup");
    assert!(refused(&world, &late, DE));
    let status = node.status().expect("a status");
    assert_fields(
        &status,
        &[
            ("/isolations/0/workload", json!(llm.below_mount())),
            ("/isolations/0/reason", json!("a test")),
            ("/isolations/0/author/uid", json!(0)),
        ],
    );
    let told = node.wait_for("workload-isolated", 1).expect("an event");
    let told = told
        .iter()
        .find(|it| it["event"]["action"] == "workload-isolated");
    assert_fields(
        told.expect("it is there"),
        &[
            ("/event/reason", json!("a test")),
            ("/enforcer/workload", json!(llm.below_mount())),
        ],
    );
    let refusals = node
        .events
        .wait_until(|events| events.iter().any(|it| it["event"]["reason"] == "isolated"));
    refusals.expect("refusals are told");

    release(&node, &llm);
    assert!(sends(&mut datagrams));
    // What was cut was kept by the sender's kernel: it arrives now, as TCP tries again.
    assert!(stream_goes_on(&mut stream));
    assert!(!refused(&world, &late, DE));
    node.wait_for("workload-released", 1).expect("an event");
    let path = llm.below_mount();
    let again = node.instance.run(&["release", &path]).expect("enforcer");
    assert_eq!(again.status.code(), Some(1));
}

/// Retransmissions come later and later, so this may take some seconds.
fn stream_goes_on(stream: &mut Held) -> bool {
    let patience = Instant::now() + Duration::from_secs(30);
    while Instant::now() < patience {
        if sends(stream) {
            return true;
        }
    }
    false
}

#[test]
fn it_ends_on_time_while_the_daemon_is_dead() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let node = Node::new().expect("a node");
    let llm = node.root.child("llm").expect("a cgroup");
    node.allow("llm", &["DE"]).expect("a policy");
    let daemon = node.start().expect("a daemon");
    let isolation = isolate(&node, &llm, "3s", &[]);
    daemon.kill().expect("killed");
    let until = isolation["until_boottime_ns"].as_u64().expect("a number");
    let late = late_by(&world, &llm, until);
    assert!(late < Duration::from_secs(1), "{late:?}");
    // The policy holds again by itself.
    assert!(refused(&world, &llm, "tcp4 52.0.0.1:443"));

    let _daemon = node.start().expect("a daemon");
    node.wait_for("isolation-expired", 1).expect("an event");
    let status = node.status().expect("a status");
    assert_eq!(status["isolations"], json!([]));
}

#[test]
fn exceptions_stay_open_as_far_as_the_policies_allow() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let node = Node::new().expect("a node");
    let llm = node.root.child("llm").expect("a cgroup");
    let free = node.root.child("free").expect("a cgroup");
    node.allow("llm", &["DE"]).expect("a policy");
    let daemon = node.start().expect("a daemon");
    let exceptions = ["--allow", "3.64.0.2:443/tcp", "--allow", "52.0.0.0/16"];
    isolate(&node, &llm, "1h", &exceptions);
    isolate(&node, &free, "1h", &exceptions);
    let holds = || {
        assert!(refused(&world, &llm, DE));
        assert!(!refused(&world, &llm, "tcp4 3.64.0.2:443"));
        assert!(refused(&world, &llm, "udp 3.64.0.2:53"));
        // The policy refuses it, and an exception is no policy.
        assert!(refused(&world, &llm, "tcp4 52.0.0.1:443"));
        // No policy selects this one, so the exceptions are all there is to say.
        assert!(!refused(&world, &free, "tcp4 52.0.0.1:443"));
        assert!(refused(&world, &free, DE));
    };
    holds();
    daemon.kill().expect("killed");
    holds();
    let _daemon = node.start().expect("a daemon");
    holds();
    let status = node.status().expect("a status");
    assert_fields(&status, &[("/adopted", json!(true))]);
    assert_there(&status, &["/isolations/1/until"]);
    // A change of the policies changes the exceptions with them.
    node.allow("llm", &["US"]).expect("a policy");
    node.wait_for("policies-loaded", 1).expect("loaded");
    assert!(!refused(&world, &llm, "tcp4 52.0.0.1:443"));
    assert!(refused(&world, &llm, "tcp4 3.64.0.2:443"));
}

#[test]
fn it_needs_no_daemon() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let node = Node::new().expect("a node");
    let llm = node.root.child("llm").expect("a cgroup");
    node.allow("llm", &["DE"]).expect("a policy");
    node.start().expect("a daemon").kill().expect("killed");
    assert!(!refused(&world, &llm, DE));
    isolate(&node, &llm, "1h", &[]);
    assert!(refused(&world, &llm, DE));
    let path = llm.below_mount();
    let words = [
        "isolate", &path, "--for", "1h", "--reason", "x", "--allow", "10.0.0.1",
    ];
    let exceptions = node.instance.run(&words).expect("enforcer");
    assert_eq!(exceptions.status.code(), Some(1));

    let daemon = node.start().expect("a daemon");
    assert!(refused(&world, &llm, DE));
    daemon.kill().expect("killed");
    release(&node, &llm);
    assert!(!refused(&world, &llm, DE));
}

#[test]
fn what_is_not_covered_cannot_be_isolated() {
    let node = Node::new().expect("a node");
    node.allow("llm", &["DE"]).expect("a policy");
    let elsewhere = Cgroup::new("elsewhere").expect("a cgroup");
    let _daemon = node.start().expect("a daemon");
    let refused = |words: &[&str], part: &str| {
        let output = node.instance.run(words).expect("enforcer");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(part), "{said}");
    };
    let (root, elsewhere) = (node.root.below_mount(), elsewhere.below_mount());
    let isolate = |path: &'static str| ["isolate", path, "--for", "1h", "--reason"];
    let outside = ["isolate", &elsewhere, "--for", "1h", "--reason", "x"];
    refused(&outside, "is not covered");
    refused(&[&isolate("/no/such")[..], &["x"]].concat(), "/no/such");
    refused(
        &["isolate", &root, "--for", "soon", "--reason", "x"],
        "30s, 15m",
    );
    refused(
        &["isolate", &root, "--for", "1h", "--reason", " "],
        "--reason",
    );
    let named = [
        "isolate",
        &root,
        "--for",
        "1h",
        "--reason",
        "x",
        "--allow",
        "example.org",
    ];
    refused(&named, "`example.org` is no exception");
    let status = node.status().expect("a status");
    assert_eq!(status["isolations"], json!([]));
}
