//! A log record of the OpenTelemetry protocol: a sentence as its body, the main facts as attributes
//! with names of the semantic conventions, and the whole ECS document as one attribute.

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, SeverityNumber},
};
use prost::Message as _;

use super::{
    ecs,
    text::{Sentence, place, pod_of, workload},
    transport,
};
use crate::events::record::{Facts, Observer, Record, Severity, ip};

/// Encodes records of one run.
#[derive(Clone, Debug)]
pub struct Encoder {
    ecs: ecs::Encoder,
    stream: String,
}

impl Encoder {
    /// An encoder that signs as `observer`.
    #[must_use]
    pub fn new(observer: &Observer) -> Self {
        Self {
            ecs: ecs::Encoder::new(observer),
            stream: observer.stream.clone(),
        }
    }

    /// Appends the record as the bytes of one `LogRecord`.
    pub fn encode(&mut self, record: &Record, sequence: u64, out: &mut Vec<u8>) {
        let mut document = Vec::new();
        self.ecs.append(record, sequence, &mut document);
        let at = u64::try_from(record.at().as_nanosecond()).unwrap_or_default();
        let (severity, text) = severity(record.severity());
        let mut attributes = vec![
            number("enforcer.sequence", sequence),
            string("enforcer.stream", &self.stream),
            string("enforcer.event", &String::from_utf8_lossy(&document)),
        ];
        if let Some(facts) = record.facts() {
            describe(facts, &mut attributes);
        }
        if let Record::Violation(violation) = record {
            attributes.push(number("enforcer.count", violation.count));
        }
        let record = LogRecord {
            time_unix_nano: at,
            observed_time_unix_nano: at,
            severity_number: severity.into(),
            severity_text: text.into(),
            body: Some(value(Sentence(record).to_string())),
            attributes,
            event_name: format!("enforcer.{}", ecs::action(record)),
            ..LogRecord::default()
        };
        out.extend_from_slice(&record.encode_to_vec());
    }
}

fn describe(facts: &Facts, attributes: &mut Vec<KeyValue>) {
    let destination = &facts.destination;
    let mut add = |key, text: &str| attributes.push(string(key, text));
    add("enforcer.verdict", facts.outcome.as_str());
    add("enforcer.workload", workload(facts));
    add("destination.address", &ip(destination.addr).to_string());
    add("geo.country.iso_code", place(facts));
    if let Some(name) = transport(destination.proto) {
        add("network.transport", name);
    }
    if let Some(rule) = &facts.rule {
        add("enforcer.policy", &rule.policy);
        add("enforcer.rule", &rule.rule);
    }
    if let Some((namespace, pod)) = pod_of(facts) {
        add("k8s.namespace.name", namespace);
        add("k8s.pod.name", pod);
    }
    if let Some(container) = &facts.placement.container {
        add("container.id", &container.id);
    }
    if let Some(port) = destination.port {
        attributes.push(number("destination.port", port.0));
    }
    if let Some(process) = &facts.process {
        attributes.push(number("process.pid", process.pid));
    }
}

fn severity(severity: Severity) -> (SeverityNumber, &'static str) {
    match severity {
        Severity::Informational => (SeverityNumber::Info, "INFO"),
        Severity::Low => (SeverityNumber::Info2, "INFO2"),
        Severity::Medium => (SeverityNumber::Warn, "WARN"),
        Severity::High => (SeverityNumber::Error, "ERROR"),
    }
}

fn value(text: String) -> AnyValue {
    AnyValue {
        value: Some(Value::StringValue(text)),
    }
}

/// An attribute that is text.
pub(in crate::events) fn string(key: &str, text: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(value(text.to_owned())),
        ..KeyValue::default()
    }
}

fn number(key: &str, number: impl Into<u64>) -> KeyValue {
    // The protocol has no unsigned numbers; none here is so large.
    let number = i64::try_from(number.into()).unwrap_or(i64::MAX);
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(Value::IntValue(number)),
        }),
        ..KeyValue::default()
    }
}
