//! Fields of the journal of systemd, as its native protocol has them: `NAME=VALUE` and a line feed, or,
//! where a value has line feeds itself, the name, the length (64 bits, little-endian) and the value.
//! <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>

use super::{
    ecs,
    text::{Sentence, place, workload},
};
use crate::events::record::{Observer, Record, Violation, ip};

/// Encodes records of one run.
#[derive(Clone, Debug)]
pub struct Encoder {
    ecs: ecs::Encoder,
    stream: String,
    document: Vec<u8>,
}

impl Encoder {
    /// An encoder that signs as `observer`.
    #[must_use]
    pub fn new(observer: &Observer) -> Self {
        Self {
            ecs: ecs::Encoder::new(observer),
            stream: observer.stream.clone(),
            document: Vec::new(),
        }
    }

    /// Appends the record as fields: a sentence, the main facts, and the whole ECS document. What
    /// depends on the sink (priority, identifier) is for it to add.
    pub fn encode(&mut self, record: &Record, sequence: u64, out: &mut Vec<u8>) {
        self.document.clear();
        self.ecs.append(record, sequence, &mut self.document);
        let mut add = |name: &str, value: &str| field(name, value.as_bytes(), out);
        add("MESSAGE", &Sentence(record).to_string());
        add("ENFORCER_ACTION", ecs::action(record));
        add("ENFORCER_SEQUENCE", &sequence.to_string());
        add("ENFORCER_STREAM", &self.stream);
        if let Record::Violation(violation) = record {
            describe(violation, add);
        }
        field("ENFORCER_EVENT", &self.document, out);
    }
}

fn describe(violation: &Violation, mut add: impl FnMut(&str, &str)) {
    let facts = &*violation.facts;
    add("ENFORCER_VERDICT", facts.outcome.as_str());
    add("ENFORCER_WORKLOAD", workload(facts));
    add(
        "ENFORCER_DESTINATION",
        &ip(facts.destination.addr).to_string(),
    );
    add("ENFORCER_COUNTRY", place(facts));
    if let Some(rule) = &facts.rule {
        add("ENFORCER_POLICY", &rule.policy);
        add("ENFORCER_RULE", &rule.rule);
    }
}

fn field(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    if value.contains(&b'\n') {
        out.push(b'\n');
        out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        out.push(b'=');
    }
    out.extend_from_slice(value);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn a_value_with_line_feeds_has_a_length() {
        let mut out = Vec::new();
        field("A", b"one", &mut out);
        field("B", b"one\nB=two", &mut out);
        assert_eq!(out, b"A=one\nB\n\x09\0\0\0\0\0\0\0one\nB=two\n");
    }
}
