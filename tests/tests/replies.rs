//! Answers to what the other side opened pass; nothing else passes as an answer.

use std::{
    io::{Read, Write},
    net::{IpAddr, SocketAddr},
    thread,
    time::Duration,
};

use enforcer_tests::{
    lab::{
        self, CLIENT_V4, CLIENT_V6, Confined, Held, Peer, Probe, Recorder, World, assert_fields,
    },
    probe::Step,
};
use serde_json::json;

/// Callers that a workload may not call, and where it listens.
const CALLERS: [(&str, IpAddr); 2] = [
    ("52.0.0.1:40000", IpAddr::V4(CLIENT_V4)),
    ("[2600:1f14::1]:40000", IpAddr::V6(CLIENT_V6)),
];

/// Longer than anything here takes: servers end when their test does.
const LONG: Duration = Duration::from_secs(120);

#[test]
fn tcp_connections_that_were_accepted_are_answered() {
    let world = World::new().expect("a world");
    for (from, client) in CALLERS {
        let confined = sovereign(&world);
        let (_server, from) = (serving(&confined, &world, "listen 8080"), address(from));
        let mut stream = Peer::connect_into(&world, from, (client, 8080).into()).expect("accepted");
        for _ in 0..3 {
            stream.write_all(b"hello").expect("sent");
            let mut back = [0; 5];
            stream.read_exact(&mut back).expect("the echo");
            assert_eq!(&back, b"hello");
        }
        assert_eq!(
            confined.events.read().expect("events"),
            [] as [serde_json::Value; 0]
        );
    }
}

#[test]
fn datagrams_are_answered_from_the_port_that_was_called() {
    let world = World::new().expect("a world");
    for (from, client) in CALLERS {
        let confined = sovereign(&world);
        let from = address(from);
        let mut neighbour = from;
        neighbour.set_port(from.port() + 1);
        // The server is silent for a while before the attempts that follow, but not for 30 seconds.
        let ways = [
            "udp-listen 8053",
            &format!("udp {from}"),
            &format!("udp {neighbour}"),
        ];
        let probe = Probe::new(&world).timeout(Duration::from_secs(3));
        let mut server = confined.start(&probe, &ways).expect("a probe");
        assert!(server.outcome().expect("ready").ready);
        let caller = Peer::udp_at(&world, from).expect("a socket");
        caller.send_to(b"hello", (client, 8053)).expect("sent");
        let mut back = [0; 5];
        let (length, sender) = caller.recv_from(&mut back).expect("the echo");
        assert_eq!((&back[..length], sender.ip()), (&b"hello"[..], client));
        assert!(server.outcome().expect("answered").ok);
        for way in &ways[1..] {
            let refused = server.outcome().expect("an outcome");
            assert_eq!(refused.errno_name.as_deref(), Some("EPERM"), "{way}");
        }
    }
}

/// It takes as long as the promise lasts.
#[test]
fn a_datagram_may_be_answered_for_thirty_seconds() {
    let world = World::new().expect("a world");
    let confined = sovereign(&world);
    let mut server = serving(&confined, &world, "udp-late 8053");
    let caller = Peer::udp_at(&world, address(CALLERS[0].0)).expect("a socket");
    caller.send_to(b"hello", (CLIENT_V4, 8053)).expect("sent");
    assert!(server.outcome().expect("received").ok);
    thread::sleep(Duration::from_secs(25));
    assert!(server.send().expect("answered").ok);
    thread::sleep(Duration::from_secs(6));
    let late = server.send().expect("an outcome");
    assert_eq!(late.errno_name.as_deref(), Some("EPERM"));
}

#[test]
fn replies_are_judged_where_the_policy_says_so() {
    let world = World::new().expect("a world");
    let recorder = Recorder::new(&world).expect("a recorder");
    let judging = "{apiVersion: enforcer.dev/v1alpha1, kind: EgressPolicy, \
        metadata: {name: judging}, spec: {selector: [{exec: true}], default: deny, \
        replies: judge, rules: [{name: de, action: allow, peers: [{countries: [DE]}]}]}}";
    let confined = Confined::new(&world)
        .and_then(|confined| confined.policy_text(judging))
        .expect("a policy");
    let mut server = serving(&confined, &world, "udp-listen 8053");
    let (from, client) = (address(CALLERS[0].0), CALLERS[0].1);
    let caller = Peer::udp_at(&world, from).expect("a socket");
    caller.send_to(b"hello", (client, 8053)).expect("sent");
    let answer = server.outcome().expect("an outcome");
    assert_eq!(
        (answer.step, answer.errno_name.as_deref()),
        (Some(Step::Send), Some("EPERM"))
    );

    let _server = serving(&confined, &world, "listen 8080");
    let called = Peer::connect_into(&world, from, (client, 8080).into());
    assert!(called.is_err(), "{called:?}");
    assert_eq!(recorder.arrived_at(from.ip()).expect("arrivals"), []);
    let allowed = Peer::connect_into(&world, address("3.64.0.1:40000"), (client, 8080).into());
    allowed.expect("accepted");
    let synacks = confined
        .events
        .wait_until(|events| events.iter().any(|it| it["network"]["transport"] == "tcp"))
        .expect("an event");
    let synack = synacks
        .iter()
        .find(|it| it["network"]["transport"] == "tcp");
    assert_fields(
        synack.expect("it is there"),
        &[
            ("/destination/ip", json!(from.ip())),
            ("/destination/port", json!(from.port())),
            ("/source/port", json!(8080)),
            ("/enforcer/hook", json!("egress")),
            ("/rule/name", json!("default")),
        ],
    );
}

#[test]
fn a_server_that_turns_client_is_judged() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let recorder = Recorder::new(&world).expect("a recorder");
    let to = "52.0.0.9:443";
    let called = |mut server: Held| {
        assert!(server.outcome().expect("ready").ready);
        let target = (CALLERS[0].1, 8080).into();
        // The server resets the connection when it turns client, at times before the call is back.
        let _accepted = Peer::connect_into(&world, address(CALLERS[0].0), target);
        server.outcome().expect("an outcome")
    };
    for (way, step) in [
        ("reuse-listener", Step::Connect),
        ("reuse-accepted", Step::Connect),
        ("reuse-fastopen", Step::Send),
    ] {
        let way = format!("{way} 8080 {to}");
        let probe = Probe::new(&world).timeout(Duration::from_secs(10));
        let free = called(probe.start(&way).expect("a probe"));
        assert!(free.ok, "{free:?}");
        let arrived = recorder.arrived_at(address(to).ip()).expect("arrivals");
        assert_ne!(arrived, [], "{way}");
        recorder.clear().expect("cleared");

        let confined = sovereign(&world);
        let refused = called(confined.start(&probe, &[&way]).expect("a probe"));
        let seen = (refused.step, refused.errno_name.as_deref());
        assert_eq!(seen, (Some(step), Some("EPERM")), "{way}");
        let arrived = recorder.arrived_at(address(to).ip()).expect("arrivals");
        assert_eq!(arrived, [], "{way}");
        recorder.clear().expect("cleared");
    }
}

#[test]
fn packets_to_oneself_open_nothing() {
    let world = World::new().expect("a world");
    let recorder = Recorder::new(&world).expect("a recorder");
    let own = "{apiVersion: enforcer.dev/v1alpha1, kind: EgressPolicy, metadata: {name: own}, \
        spec: {selector: [{exec: true}], default: deny, \
        rules: [{name: own, action: allow, peers: [{cidrs: [10.213.0.2]}]}]}}";
    let arrives = |ip: &str| {
        let ip = ip.parse().expect("an address");
        !recorder.arrived_at(ip).expect("arrivals").is_empty()
    };
    for (way, from) in [
        (format!("spoof-udp 52.0.0.1:443 {CLIENT_V4}"), "52.0.0.1"),
        (format!("spoof-syn 52.0.0.2:443 {CLIENT_V4}"), "52.0.0.2"),
    ] {
        let free = Probe::new(&world).attempt(&way).expect("an outcome");
        assert!(free.ok && arrives(from), "{free:?}");
        recorder.clear().expect("cleared");

        let run = Confined::new(&world)
            .and_then(|confined| confined.policy_text(own))
            .and_then(|confined| confined.run(&Probe::new(&world), &[&way]))
            .expect("outcomes");
        assert!(!arrives(from), "{way}: {:?}", run.outcomes);
        assert_eq!(run.events_about(from).len(), 1, "{way}: {:?}", run.events);
    }
}

/// A confined server that is ready.
fn serving(confined: &Confined<'_>, world: &World, attempt: &str) -> Held {
    let probe = Probe::new(world).timeout(LONG);
    let mut server = confined.start(&probe, &[attempt]).expect("a probe");
    assert!(server.outcome().expect("ready").ready);
    server
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn sovereign(world: &World) -> Confined<'_> {
    Confined::new(world)
        .expect("an instance")
        .policy(&lab::policy("sovereign-llm.yaml"))
}
