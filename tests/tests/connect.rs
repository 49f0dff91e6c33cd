//! Connecting: refused destinations are refused at once, before a packet leaves, and told in full.

use std::{net::IpAddr, time::Duration};

use enforcer_tests::{
    lab::{self, Confined, Peer, Probe, Recorder, Refusal, World, assert_fields},
    probe::{Outcome, Step},
};
use serde_json::json;

/// Attempt, the address that it reaches or would reach, and its IP protocol.
type Way = (&'static str, &'static str, u8);

const REFUSED: [Way; 8] = [
    ("tcp4 52.0.0.1:443", "52.0.0.1", 6),
    ("tcp6 [2600:1f14::1]:443", "2600:1f14::1", 6),
    ("tcp6 [::ffff:52.0.0.2]:443", "52.0.0.2", 6),
    ("mptcp 52.0.0.3:443", "52.0.0.3", 6),
    ("mptcp [2600:1f14::3]:443", "2600:1f14::3", 6),
    ("udpc 52.0.0.4:443", "52.0.0.4", 17),
    ("udpc [2600:1f14::4]:443", "2600:1f14::4", 17),
    ("udpc [::ffff:52.0.0.5]:443", "52.0.0.5", 17),
];

const ALLOWED: [Way; 8] = [
    ("tcp4 3.64.0.1:443", "3.64.0.1", 6),
    ("tcp6 [2a05:d014::1]:443", "2a05:d014::1", 6),
    ("tcp6 [::ffff:3.64.0.2]:443", "3.64.0.2", 6),
    ("mptcp 3.64.0.3:443", "3.64.0.3", 6),
    ("mptcp [2a05:d014::3]:443", "2a05:d014::3", 6),
    ("udpc 3.64.0.4:443", "3.64.0.4", 17),
    ("udpc [2a05:d014::4]:443", "2a05:d014::4", 17),
    ("udpc [::ffff:3.64.0.5]:443", "3.64.0.5", 17),
];

#[test]
fn refused_destinations_give_eperm_at_once_and_an_event_each() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let recorder = Recorder::new(&world).expect("a recorder");
    let confined = sovereign(&world);
    let run = confined
        .run(&Probe::new(&world), &REFUSED.map(|way| way.0))
        .expect("outcomes");
    assert_eq!(run.outcomes.len(), REFUSED.len());
    for ((attempt, ip, proto), outcome) in REFUSED.iter().zip(&run.outcomes) {
        assert_eq!(named(outcome), (Some(Step::Connect), Some("EPERM")));
        // Far below the probe's timeout: nothing was waited for.
        assert!(outcome.ms < 500, "{outcome:?}");
        let [event] = run.events_about(ip)[..] else {
            panic!("{attempt}: {:?}", run.events);
        };
        let refusal = Refusal {
            ip,
            port: Some(443),
            proto: *proto,
            hook: "connect",
        };
        refusal.assert_told_by(event);
        assert_fields(event, &[("/enforcer/count", json!(1))]);
        let ip: IpAddr = ip.parse().expect("an address");
        assert_eq!(recorder.arrived_at(ip).expect("arrivals"), [], "{attempt}");
    }
    assert_eq!(run.events.len(), REFUSED.len());
}

#[test]
fn allowed_destinations_answer_and_nothing_is_told() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let recorder = Recorder::new(&world).expect("a recorder");
    let confined = sovereign(&world);
    let run = confined
        .run(&Probe::new(&world), &ALLOWED.map(|way| way.0))
        .expect("outcomes");
    assert_eq!(run.outcomes.len(), ALLOWED.len());
    for ((attempt, ip, _), outcome) in ALLOWED.iter().zip(&run.outcomes) {
        assert!(outcome.ok && outcome.reply, "{outcome:?}");
        let ip = ip.parse().expect("an address");
        assert_ne!(recorder.arrived_at(ip).expect("arrivals"), [], "{attempt}");
    }
    assert!(run.events.is_empty(), "{:?}", run.events);
}

#[test]
fn the_process_is_named() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let confined = sovereign(&world);
    // A process that goes on: what has ended cannot be asked for its command line.
    let ways = ["tcp4 52.0.0.1:443", "hold 3.64.0.1:443"];
    let mut held = confined.start(&Probe::new(&world), &ways).expect("a probe");
    assert!(!held.outcome().expect("refused").ok);
    let events = confined
        .events
        .wait_until(|events| !events.is_empty())
        .expect("an event");
    let probe = lab::binary("probe").expect("the probe");
    let options = "--timeout-ms 1000 --marker enforcer-probe";
    let command_line = format!("{} {options} {}", probe.display(), ways.join(" "));
    assert_fields(
        &events[0],
        &[
            ("/process/name", json!("probe")),
            ("/process/executable", json!(probe)),
            ("/process/command_line", json!(command_line)),
            ("/process/user/id", json!("0")),
            ("/process/parent/pid", json!(held.pid())),
        ],
    );
}

#[test]
fn every_refusal_is_counted() {
    let world = World::new().expect("a world");
    let attempts: Vec<_> = ["tcp4 52.0.0.1:443"; 5]
        .into_iter()
        .chain(["tcp4 52.0.0.1:444"; 3])
        .chain(["tcp4 52.0.0.2:443"; 2])
        .collect();
    let run = sovereign(&world)
        .run(&Probe::new(&world), &attempts)
        .expect("outcomes");
    assert_eq!((run.count("52.0.0.1"), run.count("52.0.0.2")), (8, 2));
    // The first of each flow at once, and the rest of those that have more in one.
    assert_eq!(run.events.len(), 6, "{:?}", run.events);
}

#[test]
fn the_built_in_database_confines_as_well() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let ways = [REFUSED[0].0, REFUSED[1].0, ALLOWED[0].0, ALLOWED[1].0];
    let run = sovereign(&world)
        .built_in_geo()
        .run(&Probe::new(&world), &ways)
        .expect("outcomes");
    let refused = (Some(Step::Connect), Some("EPERM"));
    assert_eq!(
        run.outcomes.iter().map(named).collect::<Vec<_>>(),
        [refused, refused, (None, None), (None, None)]
    );
    let databases = run
        .events
        .iter()
        .map(|event| &event["enforcer"]["geo"]["database"]);
    assert!(databases.eq(["built-in"; 2]), "{:?}", run.events);
}

#[test]
fn loopback_is_always_allowed() {
    let world = World::new().expect("a world");
    let nothing = "{apiVersion: enforcer.dev/v1alpha1, kind: EgressPolicy, \
        metadata: {name: nothing}, spec: {selector: [{exec: true}], default: deny}}";
    let confined = Confined::new(&world)
        .and_then(|confined| confined.policy_text(nothing))
        .expect("a policy");
    let mut server = confined
        .start(
            &Probe::new(&world).timeout(Duration::from_secs(60)),
            &["listen 8080"],
        )
        .expect("a server");
    assert!(server.outcome().expect("ready").ready);
    let ways = ["tcp6 [::1]:8080", "tcp4 52.0.0.1:443"];
    let run = confined.run(&Probe::new(&world), &ways).expect("outcomes");
    assert!(run.outcomes[0].reply, "{:?}", run.outcomes);
    assert_eq!(run.outcomes[1].errno_name.as_deref(), Some("EPERM"));
}

fn sovereign(world: &World) -> Confined<'_> {
    Confined::new(world)
        .expect("an instance")
        .policy(&lab::policy("sovereign-llm.yaml"))
}

fn named(outcome: &Outcome) -> (Option<Step>, Option<&str>) {
    (outcome.step, outcome.errno_name.as_deref())
}
