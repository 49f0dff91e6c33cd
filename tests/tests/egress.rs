//! What only the packet shows: ICMP, raw sockets, fragments, headers that lead elsewhere.

use std::net::IpAddr;

use enforcer_tests::{
    lab::{self, Confined, Peer, Probe, Recorder, Refusal, World, assert_fields},
    probe::{Outcome, Step},
};
use serde_json::{Value, json};

/// Attempt, the destination of its packet, the port as far as the packet tells, and its IP protocol.
type Way = (&'static str, &'static str, Option<u16>, u8);

const REFUSED: [Way; 14] = [
    ("ping 52.0.0.1", "52.0.0.1", None, 1),
    ("ping 2600:1f14::1", "2600:1f14::1", None, 58),
    ("rawping 52.0.0.2", "52.0.0.2", None, 1),
    ("rawping 2600:1f14::2", "2600:1f14::2", None, 58),
    ("raw4 52.0.0.3 47", "52.0.0.3", None, 47),
    ("raw6 2600:1f14::3 47", "2600:1f14::3", None, 47),
    ("raw4 52.0.0.4 253", "52.0.0.4", None, 253),
    ("raw6 2600:1f14::4 253", "2600:1f14::4", None, 253),
    ("raw-hdrincl 52.0.0.5", "52.0.0.5", Some(9), 17),
    ("rawfrag 52.0.0.6", "52.0.0.6", None, 17),
    ("rawfrag 2600:1f14::6", "2600:1f14::6", None, 17),
    ("rawopts [2600:1f14::7]:443", "2600:1f14::7", Some(443), 17),
    ("raw4 52.0.0.8 4", "52.0.0.8", None, 4),
    ("raw6 2600:1f14::8 41", "2600:1f14::8", None, 41),
];

const ALLOWED: [Way; 14] = [
    ("ping 3.64.0.1", "3.64.0.1", None, 1),
    ("ping 2a05:d014::1", "2a05:d014::1", None, 58),
    ("rawping 3.64.0.2", "3.64.0.2", None, 1),
    ("rawping 2a05:d014::2", "2a05:d014::2", None, 58),
    ("raw4 3.64.0.3 47", "3.64.0.3", None, 47),
    ("raw6 2a05:d014::3 47", "2a05:d014::3", None, 47),
    ("raw4 3.64.0.4 253", "3.64.0.4", None, 253),
    ("raw6 2a05:d014::4 253", "2a05:d014::4", None, 253),
    ("raw-hdrincl 3.64.0.5", "3.64.0.5", Some(9), 17),
    ("rawfrag 3.64.0.6", "3.64.0.6", None, 17),
    ("rawfrag 2a05:d014::6", "2a05:d014::6", None, 17),
    ("rawopts [2a05:d014::7]:443", "2a05:d014::7", Some(443), 17),
    ("raw4 3.64.0.8 4", "3.64.0.8", None, 4),
    ("raw6 2a05:d014::8 41", "2a05:d014::8", None, 41),
];

/// Attempt, destination of the packet, and the fault. Each ends, or may end, elsewhere than its
/// destination says, so it is refused even where all of it is allowed.
const FAULTY: [(&str, &str, &str); 5] = [
    ("raw-hdrincl 52.0.0.1 3.64.0.1", "3.64.0.1", "source_route"),
    ("raw-hdrincl 3.65.0.2 3.64.0.2", "3.64.0.2", "source_route"),
    (
        "rthdr 2a05:d014::1 2a05:d014::2",
        "2a05:d014::2",
        "routing_header",
    ),
    (
        "rthdr 2a05:d014::1 2600:1f14::2",
        "2600:1f14::2",
        "routing_header",
    ),
    // Whatever the marker means as a routing header.
    ("raw6 2a05:d014::3 43", "2a05:d014::3", "routing_header"),
];

#[test]
fn refused_packets_do_not_leave_and_each_is_an_event() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let recorder = Recorder::new(&world).expect("a recorder");
    let run = sovereign(&world)
        .run(&Probe::new(&world), &REFUSED.map(|way| way.0))
        .expect("outcomes");
    assert_eq!(run.outcomes.len(), REFUSED.len());
    for ((attempt, ip, port, proto), outcome) in REFUSED.iter().zip(&run.outcomes) {
        assert_refused(outcome);
        let [event] = run.events_about(ip)[..] else {
            panic!("{attempt}: {:?}", run.events);
        };
        let refusal = Refusal {
            ip,
            port: *port,
            proto: *proto,
            hook: "egress",
        };
        refusal.assert_told_by(event);
        let source = if ip.contains(':') {
            lab::CLIENT_V6.to_string()
        } else {
            lab::CLIENT_V4.to_string()
        };
        assert_fields(
            event,
            &[
                ("/source/ip", json!(source)),
                // A raw socket's number is not a port.
                ("/source/port", Value::Null),
                // Nor is a process at work where packets leave.
                ("/process", Value::Null),
                ("/enforcer/count", json!(1)),
            ],
        );
        let ip: IpAddr = ip.parse().expect("an address");
        assert_eq!(recorder.arrived_at(ip).expect("arrivals"), [], "{attempt}");
    }
    assert_eq!(run.events.len(), REFUSED.len());
}

#[test]
fn allowed_packets_arrive_and_nothing_is_told() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let recorder = Recorder::new(&world).expect("a recorder");
    let run = sovereign(&world)
        .run(&Probe::new(&world), &ALLOWED.map(|way| way.0))
        .expect("outcomes");
    assert_eq!(run.outcomes.len(), ALLOWED.len());
    for ((attempt, ip, ..), outcome) in ALLOWED.iter().zip(&run.outcomes) {
        assert!(outcome.ok, "{outcome:?}");
        assert_eq!(outcome.reply, attempt.contains("ping"), "{outcome:?}");
        let ip = ip.parse().expect("an address");
        let arrived = recorder.arrived_at(ip).expect("arrivals");
        let marked = arrived.iter().any(|it| it.carries("enforcer-probe"));
        assert!(marked, "{attempt}: {arrived:?}");
    }
    assert!(run.events.is_empty(), "{:?}", run.events);
}

#[test]
fn packets_that_say_they_go_on_elsewhere_are_refused() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let recorder = Recorder::new(&world).expect("a recorder");
    // The sender of a routing header names its last segment, which is allowed or refused by itself.
    let anywhere = "{apiVersion: enforcer.dev/v1alpha1, kind: EgressPolicy, \
        metadata: {name: anywhere}, spec: {selector: [{exec: true}], default: allow, \
        rules: [{name: no-us, action: deny, peers: [{countries: [US]}]}]}}";
    let run = Confined::new(&world)
        .and_then(|confined| confined.policy_text(anywhere))
        .and_then(|confined| confined.run(&Probe::new(&world), &FAULTY.map(|way| way.0)))
        .expect("outcomes");
    assert_eq!(run.outcomes.len(), FAULTY.len());
    for ((attempt, ip, fault), outcome) in FAULTY.iter().zip(&run.outcomes) {
        assert_refused(outcome);
        let [event] = run.events_about(ip)[..] else {
            panic!("{attempt}: {:?}", run.events);
        };
        assert_fields(
            event,
            &[
                ("/event/reason", json!(fault)),
                ("/event/action", json!("connection-denied")),
                ("/enforcer/verdict", json!("deny")),
                ("/enforcer/hook", json!("egress")),
                ("/rule", Value::Null),
            ],
        );
    }
    let arrivals = recorder.arrivals().expect("arrivals");
    let marked = arrivals.iter().find(|it| it.carries("enforcer-probe"));
    assert_eq!(marked, None);
}

#[test]
fn ports_are_found_behind_option_headers_and_never_guessed() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let one_port = "{apiVersion: enforcer.dev/v1alpha1, kind: EgressPolicy, \
        metadata: {name: one-port}, spec: {selector: [{exec: true}], default: deny, \
        rules: [{name: https, action: allow, peers: [{countries: [DE]}], ports: [443/udp]}]}}";
    let ways = [
        ("rawopts [2a05:d014::1]:443", true),
        ("rawopts [2a05:d014::1]:444", false),
        // Fragmented after it was judged.
        ("bigudp 3.64.0.1:443", true),
        ("bigudp 3.64.0.1:444", false),
        // A later fragment does not say where it goes, so a rule for a port does not allow it.
        ("rawfrag 3.64.0.1", false),
        ("rawfrag 2a05:d014::1", false),
        ("ping 3.64.0.1", false),
    ];
    let run = Confined::new(&world)
        .and_then(|confined| confined.policy_text(one_port))
        .and_then(|confined| confined.run(&Probe::new(&world), &ways.map(|way| way.0)))
        .expect("outcomes");
    assert_eq!(run.outcomes.len(), ways.len());
    for ((attempt, allowed), outcome) in ways.iter().zip(&run.outcomes) {
        assert_eq!(outcome.ok, *allowed, "{attempt}: {outcome:?}");
    }
}

/// The kernel keeps the error of a packet that is not sent to itself where a process pings over
/// IPv6 (`ping_v6_sendmsg`).
fn assert_refused(outcome: &Outcome) {
    if outcome.kind == "ping" && outcome.to.contains(':') {
        assert!(!outcome.reply, "{outcome:?}");
    } else {
        assert_eq!(outcome.step, Some(Step::Send), "{outcome:?}");
        assert_eq!(outcome.errno_name.as_deref(), Some("EPERM"), "{outcome:?}");
    }
}

fn sovereign(world: &World) -> Confined<'_> {
    Confined::new(world)
        .expect("an instance")
        .policy(&lab::policy("sovereign-llm.yaml"))
}
