//! Sending without connecting: refused destinations are refused at once, for each datagram.

use std::net::IpAddr;

use enforcer_tests::{
    lab::{self, Confined, Peer, Probe, Recorder, Refusal, World, assert_fields, assert_there},
    probe::Step,
};
use serde_json::json;

/// Attempt, the address that it reaches or would reach, IP protocol, and how often it sends.
type Way = (&'static str, &'static str, u8, u64);

const REFUSED: [Way; 9] = [
    ("udp 52.0.0.1:53", "52.0.0.1", 17, 1),
    ("udp [2600:1f14::1]:53", "2600:1f14::1", 17, 1),
    ("udp [::ffff:52.0.0.2]:53", "52.0.0.2", 17, 1),
    // The kernel stops at the first that is refused.
    ("sendmmsg 52.0.0.3:53", "52.0.0.3", 17, 1),
    ("sendmmsg [2600:1f14::3]:53", "2600:1f14::3", 17, 1),
    ("bigudp 52.0.0.4:53", "52.0.0.4", 17, 1),
    ("bigudp [2600:1f14::4]:53", "2600:1f14::4", 17, 1),
    ("udplite 52.0.0.5:53", "52.0.0.5", 136, 1),
    ("udplite [2600:1f14::5]:53", "2600:1f14::5", 136, 1),
];

const ALLOWED: [Way; 9] = [
    ("udp 3.64.0.1:53", "3.64.0.1", 17, 1),
    ("udp [2a05:d014::1]:53", "2a05:d014::1", 17, 1),
    ("udp [::ffff:3.64.0.2]:53", "3.64.0.2", 17, 1),
    ("sendmmsg 3.64.0.3:53", "3.64.0.3", 17, 2),
    ("sendmmsg [2a05:d014::3]:53", "2a05:d014::3", 17, 2),
    ("bigudp 3.64.0.4:53", "3.64.0.4", 17, 4),
    ("bigudp [2a05:d014::4]:53", "2a05:d014::4", 17, 4),
    ("udplite 3.64.0.5:53", "3.64.0.5", 136, 1),
    ("udplite [2a05:d014::5]:53", "2a05:d014::5", 136, 1),
];

#[test]
fn refused_datagrams_give_eperm_at_once_and_an_event_each() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let recorder = Recorder::new(&world).expect("a recorder");
    let run = sovereign(&world)
        .run(&Probe::new(&world), &REFUSED.map(|way| way.0))
        .expect("outcomes");
    assert_eq!(run.outcomes.len(), REFUSED.len());
    for ((attempt, ip, proto, count), outcome) in REFUSED.iter().zip(&run.outcomes) {
        assert_eq!(outcome.step, Some(Step::Send), "{outcome:?}");
        assert_eq!(outcome.errno_name.as_deref(), Some("EPERM"), "{outcome:?}");
        assert!(outcome.ms < 500, "{outcome:?}");
        let [event] = run.events_about(ip)[..] else {
            panic!("{attempt}: {:?}", run.events);
        };
        let refusal = Refusal {
            ip,
            port: Some(53),
            proto: *proto,
            hook: "sendmsg",
        };
        refusal.assert_told_by(event);
        assert_fields(
            event,
            &[
                ("/process/name", json!("probe")),
                ("/process/user/id", json!("0")),
                ("/enforcer/count", json!(count)),
            ],
        );
        assert_there(event, &["/process/pid", "/source/port"]);
        let ip: IpAddr = ip.parse().expect("an address");
        assert_eq!(recorder.arrived_at(ip).expect("arrivals"), [], "{attempt}");
    }
    assert_eq!(run.events.len(), REFUSED.len());
}

#[test]
fn allowed_datagrams_are_answered_and_nothing_is_told() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let recorder = Recorder::new(&world).expect("a recorder");
    let run = sovereign(&world)
        .run(&Probe::new(&world), &ALLOWED.map(|way| way.0))
        .expect("outcomes");
    assert_eq!(run.outcomes.len(), ALLOWED.len());
    for ((attempt, ip, proto, count), outcome) in ALLOWED.iter().zip(&run.outcomes) {
        assert!(outcome.ok && outcome.reply, "{outcome:?}");
        let ip = ip.parse().expect("an address");
        let arrived = recorder.arrived_at(ip).expect("arrivals");
        let packets = arrived.iter().filter(|it| it.proto == Some(*proto));
        assert_eq!(packets.count() as u64, *count, "{attempt}: {arrived:?}");
    }
    assert!(run.events.is_empty(), "{:?}", run.events);
}

#[test]
fn the_protocol_and_the_port_count() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let dns = "{apiVersion: enforcer.dev/v1alpha1, kind: EgressPolicy, metadata: {name: dns}, \
        spec: {selector: [{exec: true}], default: deny, \
        rules: [{name: dns, action: allow, peers: [{countries: [DE]}], ports: [53/udp]}]}}";
    let ways = [
        "udp 3.64.0.1:53",
        "udp 3.64.0.1:443",
        "udplite 3.64.0.1:53",
        "udp [2a05:d014::1]:53",
        "udp [2a05:d014::1]:443",
    ];
    let run = Confined::new(&world)
        .and_then(|confined| confined.policy_text(dns))
        .and_then(|confined| confined.run(&Probe::new(&world), &ways))
        .expect("outcomes");
    let replies = run.outcomes.iter().map(|outcome| outcome.reply);
    assert!(
        replies.eq([true, false, false, true, false]),
        "{:?}",
        run.outcomes
    );
}

fn sovereign(world: &World) -> Confined<'_> {
    Confined::new(world)
        .expect("an instance")
        .policy(&lab::policy("sovereign-llm.yaml"))
}
