//! What events of refused flows must say (the fields that others script against).

use serde_json::{Value, json};

/// Fields that differ from refusal to refusal.
#[derive(Clone, Copy, Debug)]
pub struct Refusal<'a> {
    /// `destination.ip`.
    pub ip: &'a str,
    /// `destination.port`.
    pub port: Option<u16>,
    /// IP protocol number.
    pub proto: u8,
    /// Hook that refused.
    pub hook: &'a str,
}

impl Refusal<'_> {
    /// Fails with every field of `event` that is not as it should be when the default of
    /// `sovereign-llm` refuses a flow to the American network of the laboratory.
    ///
    /// # Panics
    /// A field is not as it should be.
    #[track_caller]
    pub fn assert_told_by(&self, event: &Value) {
        let Self {
            ip,
            port,
            proto,
            hook,
        } = *self;
        let transport = TRANSPORTS.iter().find(|it| it.0 == proto).map(|it| it.1);
        let family = if ip.contains(':') { "ipv6" } else { "ipv4" };
        assert_fields(
            event,
            &[
                ("/event/kind", json!("alert")),
                ("/event/category", json!(["network"])),
                ("/event/type", json!(["connection", "denied"])),
                ("/event/action", json!("connection-denied")),
                ("/event/reason", json!("rule")),
                ("/event/outcome", json!("failure")),
                ("/network/direction", json!("egress")),
                ("/network/type", json!(family)),
                ("/network/iana_number", json!(proto.to_string())),
                ("/network/transport", json!(transport)),
                ("/destination/ip", json!(ip)),
                ("/destination/port", json!(port)),
                ("/destination/geo/country_iso_code", json!("US")),
                ("/destination/as/number", json!(16509)),
                ("/rule/ruleset", json!("sovereign-llm")),
                ("/rule/name", json!("default")),
                ("/observer/product", json!("enforcer")),
                ("/enforcer/workload_kind", json!("exec")),
                ("/enforcer/class", json!(0)),
                ("/enforcer/mode", json!("enforce")),
                ("/enforcer/verdict", json!("deny")),
                ("/enforcer/hook", json!(hook)),
                ("/enforcer/generation", json!(1)),
                (
                    "/enforcer/data_categories",
                    json!(["customer-pii", "pricing-algorithms"]),
                ),
                (
                    "/enforcer/legal_basis",
                    json!(["GDPR-Art-44", "NIS2-Art-21"]),
                ),
                ("/enforcer/geo/agreement", json!("all")),
            ],
        );
        assert_there(
            event,
            &[
                "/@timestamp",
                "/event/sequence",
                "/observer/version",
                "/host/name",
                "/enforcer/workload",
                "/enforcer/geo/database",
                "/enforcer/geo/build_epoch",
            ],
        );
    }
}

/// Keywords of the IANA protocol-numbers registry, in lower case.
const TRANSPORTS: [(u8, &str); 8] = [
    (1, "icmp"),
    (4, "ipv4"),
    (6, "tcp"),
    (17, "udp"),
    (41, "ipv6"),
    (47, "gre"),
    (58, "ipv6-icmp"),
    (136, "udplite"),
];

/// Fails with every field (a JSON pointer, RFC 6901) that has another value. `null` is also what a
/// field that is not there has.
///
/// # Panics
/// A field has another value.
#[track_caller]
pub fn assert_fields(event: &Value, fields: &[(&str, Value)]) {
    let value = |pointer| event.pointer(pointer).unwrap_or(&Value::Null);
    let wrong: Vec<_> = fields
        .iter()
        .filter(|(pointer, expected)| value(pointer) != expected)
        .map(|(pointer, expected)| format!("{pointer} is {}, not {expected}", value(pointer)))
        .collect();
    assert!(wrong.is_empty(), "{}\n{event:#}", wrong.join("\n"));
}

/// Fails with every field that is not there.
///
/// # Panics
/// A field is not there.
#[track_caller]
pub fn assert_there(event: &Value, pointers: &[&str]) {
    let missing: Vec<_> = pointers
        .iter()
        .filter(|pointer| event.pointer(pointer).is_none_or(Value::is_null))
        .collect();
    assert!(missing.is_empty(), "{missing:?} missing\n{event:#}");
}
