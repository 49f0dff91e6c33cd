//! IPv4 addresses inside IPv6 addresses are judged as what they are, at every hook.

use enforcer_tests::{
    lab::{self, Confined, Peer, Probe, Recorder, World, assert_fields},
    probe::Outcome,
};
use serde_json::{Value, json};

/// What it is, the address, and the one that the event says was judged.
const REFUSED: [(&str, &str, Option<&str>); 6] = [
    ("NAT64", "64:ff9b::3400:1", Some("52.0.0.1")),
    ("6to4", "2002:3400:1::1", Some("52.0.0.1")),
    ("Teredo", "2001:0:102:304::cbff:fffe", Some("52.0.0.1")),
    // On a routable prefix the packet may end at either address: both are judged.
    ("ISATAP, inside", "2a05:d014::5efe:3400:1", None),
    ("ISATAP, outside", "2600:1f14::5efe:340:1", None),
    ("NAT64 of loopback", "64:ff9b::7f00:1", Some("127.0.0.1")),
];

const ALLOWED: [(&str, &str); 4] = [
    ("NAT64", "64:ff9b::340:1"),
    ("6to4", "2002:340:1::1"),
    ("Teredo", "2001:0:102:304::fcbf:fffe"),
    ("ISATAP", "2a05:d014::5efe:340:1"),
];

#[test]
fn what_is_inside_is_refused() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let recorder = Recorder::new(&world).expect("a recorder");
    let confined = sovereign(&world);
    let ways: Vec<_> = REFUSED.iter().flat_map(|it| ways(it.1)).collect();
    let run = confined
        .run(&Probe::new(&world), &words(&ways))
        .expect("outcomes");
    let hooks = ["connect", "sendmsg", "egress"];
    for ((what, ip, judged), outcomes) in REFUSED.iter().zip(run.outcomes.chunks(hooks.len())) {
        assert!(outcomes.iter().all(is_refused), "{what}: {outcomes:?}");
        let events = run.events_about(ip);
        assert_eq!(events.len(), hooks.len(), "{what}: {events:?}");
        for (event, hook) in events.into_iter().zip(hooks) {
            let mut fields = vec![
                ("/enforcer/hook", json!(hook)),
                ("/network/type", json!("ipv6")),
            ];
            fields.extend(judged.map(|judged| ("/enforcer/judged_ip", Value::from(judged))));
            assert_fields(event, &fields);
        }
        let ip = ip.parse().expect("an address");
        assert_eq!(recorder.arrived_at(ip).expect("arrivals"), [], "{what}");
    }
}

#[test]
fn what_is_inside_is_allowed() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let confined = sovereign(&world);
    let ways: Vec<_> = ALLOWED.iter().flat_map(|it| ways(it.1)).collect();
    let run = confined
        .run(&Probe::new(&world), &words(&ways))
        .expect("outcomes");
    assert_eq!(run.outcomes.len(), ways.len());
    for outcome in &run.outcomes {
        assert!(outcome.reply, "{outcome:?}");
    }
    assert!(run.events.is_empty(), "{:?}", run.events);
}

/// One for each hook.
fn ways(ip: &str) -> [String; 3] {
    [
        format!("tcp6 [{ip}]:443"),
        format!("udp [{ip}]:443"),
        format!("rawping {ip}"),
    ]
}

fn words(ways: &[String]) -> Vec<&str> {
    ways.iter().map(String::as_str).collect()
}

fn is_refused(outcome: &Outcome) -> bool {
    outcome.errno_name.as_deref() == Some("EPERM")
}

fn sovereign(world: &World) -> Confined<'_> {
    Confined::new(world)
        .expect("an instance")
        .policy(&lab::policy("sovereign-llm.yaml"))
}
