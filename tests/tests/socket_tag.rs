//! `tag`: sockets that connect carry the mark and the code point of their policy.

use std::net::IpAddr;

use enforcer_tests::lab::{Node, Peer, Probe, Recorder, World};
use serde_json::Value;

/// The code points of what arrived at `ip`, each once.
fn code_points(recorder: &Recorder<'_>, ip: &str) -> Vec<u8> {
    let ip: IpAddr = ip.parse().expect("an address");
    let arrived = recorder.arrived_at(ip).expect("arrivals");
    let mut found: Vec<u8> = arrived.iter().filter_map(|it| it.dscp).collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn counted(status: &Value, name: &str) -> u64 {
    let counters = status["counters"].as_array().expect("counters");
    let counter = counters.iter().find(|it| it["name"] == name);
    counter.and_then(|it| it["count"].as_u64()).expect(name)
}

#[test]
fn the_peer_sees_the_code_point_and_routes_see_the_mark() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let recorder = Recorder::new(&world).expect("a recorder");
    let node = Node::new().expect("a node");
    let llm = node.root.child("llm").expect("a cgroup");
    let plain = node.root.child("plain").expect("a cgroup");
    let tagged = node.policy("llm", &["DE"]);
    let tagged = tagged.replace("  mode:", "  tag: {mark: 0x5e0, dscp: AF21}\n  mode:");
    node.write_policy(&tagged).expect("a policy");
    let _daemon = node.start().expect("a daemon");
    // What carries the mark goes nowhere, so only the mark can make an attempt fail.
    for family in ["", "-6 "] {
        let rule = format!("{family}rule add fwmark 0x5e0 to 3.64.9.0/24 prohibit");
        let rule = if family.is_empty() {
            rule
        } else {
            rule.replace("3.64.9.0/24", "2a05:d014:9::/48")
        };
        world.client.ip(&rule).expect("a rule");
    }
    let attempts = |workload| {
        let probe = Probe::new(&world).in_cgroup(workload);
        let ways = [
            "tcp4 3.64.0.1:443",
            "tcp6 [2a05:d014::1]:443",
            "tcp4 3.64.9.1:443",
            "tcp6 [2a05:d014:9::1]:443",
        ];
        probe.run(&ways).expect("outcomes")
    };
    let outcomes = attempts(&llm);
    assert!(outcomes[0].reply && outcomes[1].reply, "{outcomes:?}");
    for outcome in &outcomes[2..] {
        assert_eq!(outcome.errno_name.as_deref(), Some("EACCES"), "{outcome:?}");
    }
    assert_eq!(code_points(&recorder, "3.64.0.1"), [18]);
    assert_eq!(code_points(&recorder, "2a05:d014::1"), [18]);
    let status = node.status().expect("a status");
    assert_eq!(counted(&status, "socket_tag_failed"), 0);

    recorder.clear().expect("cleared");
    let outcomes = attempts(&plain);
    assert!(outcomes.iter().all(|it| it.reply), "{outcomes:?}");
    assert_eq!(code_points(&recorder, "3.64.0.1"), [0]);
}

#[test]
fn an_ipv6_socket_that_goes_to_ipv4_carries_it_too() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let recorder = Recorder::new(&world).expect("a recorder");
    let node = Node::new().expect("a node");
    let llm = node.root.child("llm").expect("a cgroup");
    let tagged = node.policy("llm", &["DE"]);
    let tagged = tagged.replace("  mode:", "  tag: {dscp: EF}\n  mode:");
    node.write_policy(&tagged).expect("a policy");
    let _daemon = node.start().expect("a daemon");
    let probe = Probe::new(&world).in_cgroup(&llm);
    let outcome = probe
        .attempt("tcp6 [::ffff:3.64.0.1]:443")
        .expect("an outcome");
    assert!(outcome.reply, "{outcome:?}");
    assert_eq!(code_points(&recorder, "3.64.0.1"), [46]);
    let status = node.status().expect("a status");
    assert_eq!(counted(&status, "socket_tag_failed"), 0);
}
