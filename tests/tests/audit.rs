//! `--audit` refuses nothing and tells what would have been refused.

use enforcer_tests::lab::{self, Confined, Peer, Probe, World, assert_fields};
use serde_json::json;

/// One way through each hook, of both families.
const WAYS: [(&str, &str, &str); 6] = [
    ("tcp4 52.0.0.1:443", "52.0.0.1", "connect"),
    ("tcp6 [2600:1f14::1]:443", "2600:1f14::1", "connect"),
    ("udp 52.0.0.2:53", "52.0.0.2", "sendmsg"),
    ("udp [2600:1f14::2]:53", "2600:1f14::2", "sendmsg"),
    ("rawping 52.0.0.3", "52.0.0.3", "egress"),
    ("rawping 2600:1f14::3", "2600:1f14::3", "egress"),
];

#[test]
fn what_would_be_refused_passes_and_is_told() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let run = Confined::new(&world)
        .expect("an instance")
        .policy(&lab::policy("sovereign-llm.yaml"))
        .audit()
        .run(&Probe::new(&world), &WAYS.map(|way| way.0))
        .expect("outcomes");
    assert_eq!(run.outcomes.len(), WAYS.len());
    for ((attempt, ip, hook), outcome) in WAYS.iter().zip(&run.outcomes) {
        assert!(outcome.reply, "{outcome:?}");
        let events = run.events_about(ip);
        let first = events.first().expect(attempt);
        assert_fields(
            first,
            &[
                ("/event/type", json!(["connection", "allowed"])),
                ("/event/reason", json!("rule")),
                ("/enforcer/verdict", json!("would_deny")),
                ("/enforcer/mode", json!("audit")),
                ("/enforcer/hook", json!(hook)),
                ("/enforcer/count", json!(1)),
                ("/rule/ruleset", json!("sovereign-llm")),
                ("/rule/name", json!("default")),
                ("/destination/geo/country_iso_code", json!("US")),
            ],
        );
        // The packets of a flow that passes are counted as well.
        assert!(run.count(ip) >= 1, "{attempt}");
    }
}

#[test]
fn an_auditing_policy_weakens_no_other() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let watch = "{apiVersion: enforcer.dev/v1alpha1, kind: EgressPolicy, metadata: {name: watch}, \
        spec: {selector: [{exec: true}], mode: audit, default: deny}}";
    let run = Confined::new(&world)
        .and_then(|confined| confined.policy_text(watch))
        .expect("a policy")
        .policy(&lab::policy("sovereign-llm.yaml"))
        .run(&Probe::new(&world), &["udp 52.0.0.1:53", "udp 3.64.0.1:53"])
        .expect("outcomes");
    assert_eq!(run.outcomes[0].errno_name.as_deref(), Some("EPERM"));
    assert!(run.outcomes[1].reply, "{:?}", run.outcomes);
    let verdicts = |ip| {
        let events = run.events_about(ip).into_iter();
        let told = events.map(|it| {
            (
                it["enforcer"]["verdict"].clone(),
                it["rule"]["ruleset"].clone(),
            )
        });
        told.collect::<Vec<_>>()
    };
    assert_eq!(
        verdicts("52.0.0.1"),
        [(json!("deny"), json!("sovereign-llm"))]
    );
    let told = verdicts("3.64.0.1");
    assert!(!told.is_empty(), "{:?}", run.events);
    assert!(
        told.iter()
            .all(|it| *it == (json!("would_deny"), json!("watch"))),
        "{told:?}"
    );
}
