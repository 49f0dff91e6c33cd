//! Floods of refusals: each is counted, whatever details are lost.

use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use enforcer_tests::lab::{self, Cgroup, Daemon, Node, World};
use serde_json::{Value, json};

/// What a flood came to.
struct Flood {
    /// As the client saw it.
    refused: u64,
    /// As the kernel counted it, by rule.
    denied: u64,
    /// Refusals that no record tells of: a flow without room in the table, whose event found no room
    /// in the ring either.
    most_untold: u64,
}

/// As many as records of flows count; findings and the daemon's own events count other things.
fn counted(event: &Value) -> u64 {
    let violation = event["event"]["dataset"] == json!("enforcer.violation");
    let count = event["enforcer"]["count"].as_u64().filter(|_| violation);
    count.unwrap_or(0)
}

fn flood(world: &World, node: &Node, workload: &Cgroup, flows: u32, datagrams: u32) -> Flood {
    let mut client = Command::new(lab::binary("flood").expect("a client"));
    client.args([&flows.to_string(), &datagrams.to_string(), "52.0.0.0"]);
    world.client.confine(&mut client).expect("confined");
    workload.confine(&mut client).expect("confined");
    let output = client.stdin(Stdio::null()).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let refused = said.trim().parse().expect("a number");
    let status = node.status().expect("a status");
    let sum = |list: &str, field: &str| {
        let values = status[list].as_array().expect(list).iter();
        values.filter_map(|value| value[field].as_u64()).sum()
    };
    let lost = |label: &str| {
        let lost = status["lost"].as_array().expect("lost").iter();
        let lost = lost.filter(|lost| lost["name"] == label);
        lost.filter_map(|lost| lost["count"].as_u64()).sum::<u64>()
    };
    Flood {
        refused,
        denied: sum("decisions", "denied"),
        most_untold: lost("ring_full").min(lost("flow_table_full")),
    }
}

/// Seconds of a processor that the daemon has used.
fn used(daemon: &Daemon) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", daemon.pid())).expect("it runs");
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks
        .map(|ticks| ticks.parse::<u64>().expect("ticks"))
        .sum();
    // USER_HZ is 100 on every architecture that has these programs.
    ticks as f64 / 100.0
}

/// Floods, waits until records tell of it, and ends the daemon; how many they tell of.
fn told_of(flows: u32, datagrams: u32) -> (Flood, u64) {
    let world = World::new().expect("a world");
    let node = Node::new().expect("a node");
    let workload = node.root.child("llm").expect("a cgroup");
    node.allow("llm", &["DE"]).expect("a policy");
    let daemon = node.start().expect("a daemon");
    let started = Instant::now();
    let flood = flood(&world, &node, &workload, flows, datagrams);
    let mut told = 0;
    let enough = |event: &Value| {
        told += counted(event);
        told + flood.most_untold >= flood.denied
    };
    let waited = node.events.follow(Duration::from_secs(120), enough);
    waited.unwrap_or_else(|error| panic!("{told} of {}: {error:#}", flood.denied));
    println!(
        "{datagrams} refusals of {flows} flows: the daemon used {:.2} s of one core in {:.2} s",
        used(&daemon),
        started.elapsed().as_secs_f64()
    );
    daemon.terminate().expect("it ends");
    let all = node.events.read().expect("lines");
    let told = all.iter().map(counted).sum();
    (flood, told)
}

#[test]
fn a_million_refusals_are_told_to_the_last() {
    let (flood, told) = told_of(1000, 1_000_000);
    assert_eq!(flood.refused, 1_000_000);
    assert_eq!(flood.denied, 1_000_000);
    assert_eq!(told, 1_000_000);
}

#[test]
fn more_flows_than_find_room_are_told_or_counted_as_lost() {
    let (flood, told) = told_of(70_000, 140_000);
    assert_eq!(flood.refused, 140_000);
    assert_eq!(flood.denied, 140_000);
    assert!(told <= 140_000, "{told} are told");
    assert!(
        told + flood.most_untold >= 140_000,
        "{told} and {}",
        flood.most_untold
    );
}
