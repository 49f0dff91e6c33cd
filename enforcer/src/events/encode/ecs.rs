//! Elastic Common Schema: one JSON object a line, own fields under `enforcer`.
//!
//! `docs/events.md` lists every field. Names and order are an interface: add, never rename.

use super::{
    json::{Object, fields, object},
    time::Times,
};
use crate::events::record::{Observer, Record, Severity};

pub(super) mod daemon;
mod finding;
mod violation;

pub(super) use violation::{UNKNOWN_COUNTRY, pod, range_name, reason};

/// Version of the schema whose field names are used.
pub const ECS_VERSION: &str = "9.0.0";

/// Encodes records of one run.
#[derive(Clone, Debug)]
pub struct Encoder {
    signature: Signature,
    times: Times,
}

/// What all lines of a run have in common.
#[derive(Clone, Debug)]
struct Signature {
    /// The fields `observer` and `host`, written.
    fields: Vec<u8>,
    /// The fields `run` and `stream` of `enforcer`, written.
    run: Vec<u8>,
    /// Tells this run from others.
    run_id: String,
}

impl Encoder {
    /// An encoder that signs as `observer`.
    #[must_use]
    pub fn new(observer: &Observer) -> Self {
        Self {
            signature: Signature::new(observer),
            times: Times::default(),
        }
    }

    /// Appends the record as one line, line feed included.
    pub fn encode(&mut self, record: &Record, sequence: u64, out: &mut Vec<u8>) {
        self.append(record, sequence, out);
        out.push(b'\n');
    }

    /// Appends the record as one JSON object.
    pub(super) fn append(&mut self, record: &Record, sequence: u64, out: &mut Vec<u8>) {
        let Self { signature, times } = self;
        object(out, |line| match record {
            Record::Violation(violation) => {
                violation::write(line, violation, sequence, signature, times);
            }
            Record::Finding(finding) => finding::write(line, finding, sequence, signature, times),
            Record::Daemon(at, event) => {
                daemon::write(line, *at, event, sequence, signature, times)
            }
        });
    }
}

impl Signature {
    fn new(observer: &Observer) -> Self {
        let fields = fields(|line| {
            line.object("observer", |agent| {
                agent.word("vendor", "enforcer");
                agent.word("product", "enforcer");
                agent.text("version", observer.version);
                agent.word("type", "firewall");
            });
            line.object("host", |host| host.text("name", &observer.host));
        });
        let run = self::fields(|own| {
            own.text("run", &observer.run);
            own.text("stream", &observer.stream);
        });
        Self {
            fields,
            run,
            run_id: observer.run.clone(),
        }
    }
}

fn write_version(line: &mut Object<'_>) {
    line.object("ecs", |ecs| ecs.word("version", ECS_VERSION));
}

/// What happened, in the words of `event.action`.
pub(super) fn action(record: &Record) -> &'static str {
    match record {
        Record::Violation(violation) => violation::headline(violation.facts.outcome).action,
        Record::Finding(_) => finding::ACTION,
        Record::Daemon(_, event) => daemon::headline(event).action,
    }
}

/// The scale of Elastic's detection rules (0 to 100).
fn severity(severity: Severity) -> u8 {
    match severity {
        Severity::Informational => 0,
        Severity::Low => 21,
        Severity::Medium => 47,
        Severity::High => 73,
    }
}

#[cfg(test)]
mod tests;
