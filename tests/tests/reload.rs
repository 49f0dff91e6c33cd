//! A change holds from the next packet of every flow; a broken one changes nothing.

use std::fs;

use enforcer_tests::lab::{Cgroup, Held, Node, Peer, Probe, Recorder, World, assert_fields};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

/// A node with one workload, `llm`, under a daemon.
fn workload(node: &Node) -> Cgroup {
    node.root.child("llm").expect("a cgroup")
}

fn refused(world: &World, workload: &Cgroup, attempt: &str) -> bool {
    let probe = Probe::new(world).in_cgroup(workload);
    let outcome = probe.attempt(attempt).expect("an outcome");
    assert_eq!(outcome.reply, outcome.errno.is_none(), "{outcome:?}");
    outcome.errno_name.as_deref() == Some("EPERM")
}

#[test]
fn established_flows_are_judged_by_the_new_policy() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let recorder = Recorder::new(&world).expect("a recorder");
    let node = Node::new().expect("a node");
    let llm = workload(&node);
    node.allow("llm", &["DE", "US"]).expect("a policy");
    let _daemon = node.start().expect("a daemon");

    let ways = [
        "hold 52.0.0.1:443",
        "hold [2600:1f14::1]:443",
        "udp-hold 52.0.0.2:53",
        "udp-hold [2600:1f14::2]:53",
    ];
    let probe = Probe::new(&world).in_cgroup(&llm);
    let mut held = ways.map(|way| probe.start(way).expect("a probe"));
    for flow in &mut held {
        assert!(flow.outcome().expect("connected").ok);
        assert!(flow.send().expect("an outcome").reply);
    }

    node.allow("llm", &["DE"]).expect("a policy");
    node.wait_for("policies-loaded", 1).expect("loaded");
    recorder.clear().expect("cleared");
    for (flow, way) in held.iter_mut().zip(ways) {
        let outcome = flow.send().expect("an outcome");
        assert!(!outcome.reply, "{way}: {outcome:?}");
        // A datagram is refused to the sender; of a stream the kernel has taken the bytes already.
        let udp = way.starts_with("udp");
        assert_eq!(outcome.errno_name.is_some(), udp, "{way}: {outcome:?}");
    }
    let arrivals = recorder.arrivals().expect("arrivals");
    let marked = arrivals.iter().find(|it| it.carries("enforcer-probe"));
    assert_eq!(marked, None);

    node.allow("llm", &["US"]).expect("a policy");
    node.wait_for("policies-loaded", 2).expect("loaded");
    for flow in &mut held[2..] {
        assert!(flow.send().expect("an outcome").reply);
    }
}

#[test]
fn a_flow_that_both_policies_allow_is_not_disturbed() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let node = Node::new().expect("a node");
    let llm = workload(&node);
    node.allow("llm", &["DE"]).expect("a policy");
    let _daemon = node.start().expect("a daemon");
    let probe = Probe::new(&world).in_cgroup(&llm);
    let mut flows = ["hold 3.64.0.1:443", "udp-hold [2a05:d014::1]:53"]
        .map(|way| probe.start(way).expect("a probe"));
    for flow in &mut flows {
        assert!(flow.outcome().expect("connected").ok);
    }
    for round in 0..6 {
        let countries: &[&str] = if round % 2 == 0 {
            &["DE", "US"]
        } else {
            &["DE"]
        };
        node.allow("llm", countries).expect("a policy");
        while loaded(&node) <= round {
            assert!(flows.iter_mut().all(sends), "round {round}");
        }
        assert!(flows.iter_mut().all(sends), "round {round}");
    }
}

fn sends(flow: &mut Held) -> bool {
    flow.send().expect("an outcome").reply
}

fn loaded(node: &Node) -> usize {
    let events = node.events.read().expect("events");
    let loaded = events
        .iter()
        .filter(|it| it["event"]["action"] == "policies-loaded");
    loaded.count()
}

#[test]
fn a_broken_policy_leaves_the_old_one_in_force() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let node = Node::new().expect("a node");
    let llm = workload(&node);
    node.allow("llm", &["DE"]).expect("a policy");
    let _daemon = node.start().expect("a daemon");
    let in_force = || {
        assert!(refused(&world, &llm, "tcp4 52.0.0.1:443"));
        assert!(!refused(&world, &llm, "tcp4 3.64.0.1:443"));
    };
    in_force();

    let broken = node.policy("llm", &["US"]).replace("deny", "denyy");
    node.write_policy(&broken).expect("a file");
    let events = node.wait_for("policies-rejected", 1).expect("rejected");
    let rejected = events
        .iter()
        .find(|it| it["event"]["action"] == "policies-rejected")
        .expect("it is there");
    assert_fields(
        rejected,
        &[
            ("/event/outcome", json!("failure")),
            ("/enforcer/generation", json!(1)),
        ],
    );
    let message = rejected["error"]["message"].to_string();
    assert!(
        message.contains("denyy") && message.contains("node.yaml"),
        "{message}"
    );
    in_force();
    let status = node.status().expect("a status");
    assert_fields(&status, &[("/generation", json!(1))]);
    let error = status["last_error"].to_string();
    assert!(error.contains("denyy"), "{error}");

    node.allow("llm", &["US"]).expect("a policy");
    node.wait_for("policies-loaded", 1).expect("loaded");
    assert!(!refused(&world, &llm, "tcp4 52.0.0.1:443"));
    assert!(refused(&world, &llm, "tcp4 3.64.0.1:443"));
    let status = node.status().expect("a status");
    let fields = [("/last_error", Value::Null), ("/generation", json!(2))];
    assert_fields(&status, &fields);
}

#[test]
fn a_broken_database_leaves_the_old_one_in_use() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let node = Node::new().expect("a node");
    let llm = workload(&node);
    node.allow("llm", &["DE"]).expect("a policy");
    let _daemon = node.start().expect("a daemon");
    let sound = fs::read(node.geo_file()).expect("a database");
    fs::write(node.geo_file(), &sound[..sound.len() / 2]).expect("a file");
    node.wait_for("policies-rejected", 1).expect("rejected");
    assert!(refused(&world, &llm, "tcp4 52.0.0.1:443"));
    assert!(!refused(&world, &llm, "tcp4 3.64.0.1:443"));
    let error = node.status().expect("a status")["last_error"].to_string();
    assert!(error.contains("laboratory.mmdb"), "{error}");

    fs::write(node.geo_file(), sound).expect("a file");
    node.wait_for("policies-loaded", 1).expect("loaded");
    let status = node.status().expect("a status");
    assert_fields(&status, &[("/last_error", Value::Null)]);
}

#[test]
fn audit_is_switched_while_it_runs() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let node = Node::new().expect("a node");
    let llm = workload(&node);
    let enforcing = node.policy("llm", &["DE"]);
    let auditing = enforcing.replace("mode: enforce", "mode: audit");
    node.write_policy(&auditing).expect("a policy");
    let daemon = node.start().expect("a daemon");
    assert!(!refused(&world, &llm, "tcp4 52.0.0.1:443"));
    let events = node.events.wait_until(|events| {
        let alerts = events
            .iter()
            .filter(|it| it["event"]["dataset"] == "enforcer.violation");
        alerts.count() > 0
    });
    let events = events.expect("an event");
    let told = events
        .iter()
        .find(|it| it["event"]["dataset"] == "enforcer.violation")
        .expect("it is there");
    assert_fields(
        told,
        &[
            ("/event/type", json!(["connection", "allowed"])),
            ("/enforcer/verdict", json!("would_deny")),
            ("/enforcer/mode", json!("audit")),
            ("/rule/name", json!("default")),
        ],
    );

    node.write_policy(&enforcing).expect("a policy");
    node.wait_for("policies-loaded", 1).expect("loaded");
    assert!(refused(&world, &llm, "tcp4 52.0.0.1:443"));

    node.write_policy(&auditing).expect("a policy");
    node.wait_for("policies-loaded", 2).expect("loaded");
    daemon.kill().expect("killed");
    assert!(!refused(&world, &llm, "tcp4 52.0.0.1:443"));
    let _daemon = node.start().expect("a daemon");
    assert!(!refused(&world, &llm, "tcp4 52.0.0.1:443"));
}

#[test]
fn a_hangup_reads_everything_again() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let node = Node::new().expect("a node");
    let llm = workload(&node);
    node.allow("llm", &["DE"]).expect("a policy");
    let daemon = node.start().expect("a daemon");
    daemon.signal(Signal::SIGHUP).expect("sent");
    let events = node.wait_for("policies-loaded", 1).expect("loaded");
    let generations: Vec<_> = events
        .iter()
        .filter(|it| it["event"]["action"] == "policies-loaded")
        .map(|it| it["enforcer"]["generation"].clone())
        .collect();
    assert_eq!(generations, [json!(2)]);
    assert!(refused(&world, &llm, "tcp4 52.0.0.1:443"));
}
