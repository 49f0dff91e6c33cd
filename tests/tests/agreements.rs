//! An agreement that ends changes the verdict by itself, in its minute, and an event says so.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use enforcer::policy::Minute;
use enforcer_tests::lab::{Confined, Peer, Probe, World, assert_fields};
use serde_json::{Value, json};

/// Room for the first connection.
const SETTLED: i64 = 5;

/// The next minute that leaves time to connect before.
fn soon() -> Minute {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let second = now.expect("after 1970").as_secs() as i64;
    Minute((second + SETTLED).div_euclid(60) + 1)
}

#[test]
fn a_connection_is_refused_from_the_minute_on() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let policy = format!(
        "apiVersion: enforcer.dev/v1alpha1
kind: EgressPolicy
metadata: {{name: strict}}
spec:
  selector: [{{exec: true}}]
  default: allow
  requireDpa: true
  rules:
    - {{name: models, action: allow, peers: [{{providers: [own]}}]}}
---
apiVersion: enforcer.dev/v1alpha1
kind: Provider
metadata: {{name: own}}
spec:
  endpoints: [{{cidrs: [3.64.0.0/16]}}]
  dpa: {{status: signed, reference: IC-7, expires: {}}}
",
        soon()
    );
    let confined = Confined::new(&world)
        .and_then(|confined| confined.policy_text(&policy))
        .expect("a policy");
    let mut held = confined
        .start(&Probe::new(&world), &["hold 3.64.0.1:443"])
        .expect("a probe");
    let connected = held.outcome().expect("an outcome");
    assert!(connected.ok, "{connected:?}");
    assert!(held.send().expect("an outcome").reply);

    let told = |event: &Value| event["event"]["action"] == "agreement-ended";
    let events = confined
        .events
        .wait_for(Duration::from_secs(80), |events| events.iter().any(told))
        .expect("the end");
    let end = events.iter().find(|event| told(event)).expect("the end");
    assert_fields(
        end,
        &[
            ("/event/kind", json!("event")),
            ("/enforcer/generation", json!(2)),
            ("/enforcer/provider/name", json!("own")),
            ("/enforcer/provider/policy", json!("strict")),
            ("/enforcer/provider/reference", json!("IC-7")),
        ],
    );
    let refused = held.send().expect("an outcome");
    assert!(!refused.reply, "{refused:?}");
    let about = |event: &Value| event["destination"]["ip"] == "3.64.0.1";
    let events = confined
        .events
        .wait_until(|events| events.iter().any(about))
        .expect("a violation");
    let violation = events
        .iter()
        .find(|event| about(event))
        .expect("it is there");
    assert_fields(
        violation,
        &[
            ("/rule/name", json!("models")),
            ("/rule/ruleset", json!("strict")),
            ("/enforcer/verdict", json!("deny")),
            ("/enforcer/no_agreement", json!("own")),
        ],
    );
}
