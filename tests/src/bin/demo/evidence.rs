//! Whether the events say what happened.

use serde_json::Value;

use crate::{attempts::Attempt, place::Side};

/// What a reader looks for first. No names stand for the whole object.
const ESSENCE: [(&str, &[&str]); 7] = [
    ("@timestamp", &[]),
    ("event", &["kind", "action", "reason", "outcome"]),
    ("network", &["direction", "type", "transport"]),
    ("destination", &[]),
    ("process", &["pid", "name", "executable", "user"]),
    ("rule", &[]),
    (
        "enforcer",
        &[
            "verdict",
            "hook",
            "rule_source",
            "data_categories",
            "legal_basis",
        ],
    ),
];

/// The fields of an event that tell the story.
pub(crate) fn essence(event: &Value) -> Vec<(&'static str, Value)> {
    let part = |(name, fields): (&'static str, &[&str])| {
        let mut value = event[name].clone();
        if let (Some(object), false) = (value.as_object_mut(), fields.is_empty()) {
            object.retain(|field, _| fields.contains(&field.as_str()));
        }
        (name, value)
    };
    ESSENCE.into_iter().map(part).collect()
}

/// One finding for each refusal without an event, and for each event about what was allowed.
pub(crate) fn findings(attempts: &[Attempt], events: &[Value]) -> Vec<String> {
    let told = |attempt: &Attempt| events.iter().any(|event| is_about(event, attempt));
    attempts
        .iter()
        .filter_map(|attempt| match (attempt.place.side, told(attempt)) {
            (Side::Outside, false) => Some(format!("{attempt} has no event")),
            (Side::Outside, true) | (Side::Inside, false) => None,
            (Side::Inside, true) => Some(format!("{attempt} passed and has an event")),
        })
        .collect()
}

fn is_about(event: &Value, attempt: &Attempt) -> bool {
    let address = attempt.place.address.to_string();
    let expected = [
        ("/destination/ip", address.as_str()),
        ("/destination/geo/country_iso_code", attempt.place.country()),
        ("/network/transport", attempt.transport()),
        ("/event/action", "connection-denied"),
        ("/event/outcome", "failure"),
        ("/rule/ruleset", "sovereign-llm"),
        ("/enforcer/verdict", "deny"),
    ];
    expected
        .iter()
        .all(|(pointer, value)| event.pointer(pointer).is_some_and(|found| found == value))
}
