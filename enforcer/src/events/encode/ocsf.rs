//! Open Cybersecurity Schema Framework: Network Activity (4001) and Detection Finding (2004) with the
//! profiles `security_control`, `host` and `container`; the daemon's own events are Application
//! Lifecycle (6002).
//!
//! What the schema has no words for goes under `unmapped.enforcer`.

mod finding;
mod flow;

use self::flow::{
    write_connection, write_destination, write_own, write_process, write_rule, write_source,
};
use super::{
    ecs::{action, reason},
    json::{Object, object},
    text::Sentence,
};
use crate::events::record::{DaemonEvent, Observer, Outcome, Record, Severity, Violation};

/// Version of the schema whose names and numbers are used.
pub const OCSF_VERSION: &str = "1.5.0";

/// Encodes records of one run.
#[derive(Clone, Debug)]
pub struct Encoder {
    observer: Observer,
}

/// A class of the schema, and what a record of it is about.
struct Class {
    category: (u8, &'static str),
    class: (u32, &'static str),
    activity: (u8, &'static str),
    profiles: &'static [&'static str],
}

impl Encoder {
    /// An encoder that signs as `observer`.
    #[must_use]
    pub fn new(observer: &Observer) -> Self {
        Self {
            observer: observer.clone(),
        }
    }

    /// Appends the record as one line, line feed included.
    pub fn encode(&mut self, record: &Record, sequence: u64, out: &mut Vec<u8>) {
        object(out, |line| {
            self.write_base(line, record, sequence);
            match record {
                Record::Violation(violation) => self.write_violation(line, violation),
                Record::Finding(finding) => self.write_finding(line, finding),
                Record::Daemon(_, event) => self.write_daemon(line, event),
            }
        });
        out.push(b'\n');
    }

    fn write_base(&self, line: &mut Object<'_>, record: &Record, sequence: u64) {
        let class = class(record);
        let (severity, name) = severity(record.severity());
        line.number("category_uid", class.category.0);
        line.word("category_name", class.category.1);
        line.number("class_uid", class.class.0);
        line.word("class_name", class.class.1);
        line.number("activity_id", class.activity.0);
        line.word("activity_name", class.activity.1);
        line.number(
            "type_uid",
            class.class.0 * 100 + u32::from(class.activity.0),
        );
        line.number("severity_id", severity);
        line.word("severity", name);
        line.number("time", record.at().as_millisecond());
        line.shown("message", Sentence(record));
        line.object("metadata", |metadata| {
            metadata.word("version", OCSF_VERSION);
            metadata.object("product", |product| self.write_product(product));
            metadata.texts("profiles", class.profiles.iter().copied());
            metadata.shown("uid", self.uid(sequence));
            metadata.number("sequence", sequence);
            metadata.word("event_code", action(record));
        });
        line.object("device", |device| {
            device.text("hostname", &self.observer.host);
            device.number("type_id", SERVER.0);
            device.word("type", SERVER.1);
        });
    }

    /// Names a record.
    fn uid(&self, sequence: u64) -> String {
        format!("{}-{sequence}", self.observer.stream)
    }

    fn write_product(&self, product: &mut Object<'_>) {
        product.word("name", "enforcer");
        product.word("vendor_name", "enforcer");
        product.text("version", self.observer.version);
    }

    fn write_violation(&self, line: &mut Object<'_>, violation: &Violation) {
        let facts = &*violation.facts;
        let judged = judged(facts.outcome);
        line.number("status_id", judged.status.0);
        line.word("status", judged.status.1);
        line.word("status_detail", reason(facts));
        line.number("action_id", judged.action.0);
        line.word("action", judged.action.1);
        line.number("disposition_id", judged.disposition.0);
        line.word("disposition", judged.disposition.1);
        line.flag("is_alert", facts.outcome != Outcome::Allowed);
        line.number("count", violation.count);
        line.number("start_time", violation.start.as_millisecond());
        line.number("end_time", violation.end.as_millisecond());
        write_connection(line, &facts.destination);
        write_destination(line, &facts.destination);
        write_source(line, facts);
        if violation.bytes > 0 {
            line.object("traffic", |traffic| {
                traffic.number("bytes_out", violation.bytes);
            });
        }
        write_rule(line, facts);
        if let Some(process) = &facts.process {
            line.object("actor", |actor| {
                actor.object("process", |object| write_process(object, facts, process));
            });
        }
        line.object("unmapped", |unmapped| {
            unmapped.object("enforcer", |own| {
                write_own(own, facts, violation.end);
                self.write_run(own);
            });
        });
    }

    fn write_run(&self, own: &mut Object<'_>) {
        own.text("run", &self.observer.run);
        own.text("stream", &self.observer.stream);
    }

    fn write_daemon(&self, line: &mut Object<'_>, event: &DaemonEvent) {
        line.object("app", |app| self.write_product(app));
        if let Some((what, count)) = event.counted() {
            line.number("count", count);
            line.text("status_detail", what);
        }
        if let DaemonEvent::PoliciesRejected { diagnostics, .. } = event {
            line.text("status_detail", &diagnostics.join("\n"));
        }
    }
}

/// `device.type_id`: a server.
const SERVER: (u8, &str) = (1, "Server");

fn class(record: &Record) -> Class {
    match record {
        Record::Violation(violation) => Class {
            category: (4, "Network Activity"),
            class: (4001, "Network Activity"),
            activity: activity(violation.facts.outcome),
            profiles: &["security_control", "host", "container"],
        },
        Record::Finding(finding) => Class {
            category: (2, "Findings"),
            class: (2004, "Detection Finding"),
            activity: if finding.again {
                (2, "Update")
            } else {
                (1, "Create")
            },
            profiles: &["security_control", "host", "container"],
        },
        Record::Daemon(_, event) => Class {
            category: (6, "Application Activity"),
            class: (6002, "Application Lifecycle"),
            activity: lifecycle(event),
            profiles: &["host"],
        },
    }
}

/// Of Network Activity.
fn activity(outcome: Outcome) -> (u8, &'static str) {
    match outcome {
        Outcome::Denied => (5, "Refuse"),
        Outcome::Held => (4, "Fail"),
        Outcome::WouldDeny | Outcome::Allowed => (1, "Open"),
        Outcome::Unknown => (99, "Other"),
    }
}

/// Of Application Lifecycle.
fn lifecycle(event: &DaemonEvent) -> (u8, &'static str) {
    match event {
        DaemonEvent::Started { .. } | DaemonEvent::Adopted { .. } => (3, "Start"),
        DaemonEvent::Detached | DaemonEvent::Stopped => (4, "Stop"),
        DaemonEvent::PoliciesLoaded { .. }
        | DaemonEvent::PoliciesRejected { .. }
        | DaemonEvent::AgreementEnded { .. }
        | DaemonEvent::DatabaseOld { .. }
        | DaemonEvent::Isolation(_)
        | DaemonEvent::Faults { .. }
        | DaemonEvent::EventsLost { .. }
        | DaemonEvent::Heartbeat(_)
        | DaemonEvent::SinkFailing { .. }
        | DaemonEvent::SinkRecovered { .. }
        | DaemonEvent::CoverageLost { .. }
        | DaemonEvent::CoverageRestored { .. }
        | DaemonEvent::SourceFailing { .. }
        | DaemonEvent::SourceRecovered { .. }
        | DaemonEvent::PodUnresolved { .. } => (99, "Other"),
    }
}

/// What the control did.
struct Judged {
    status: (u8, &'static str),
    action: (u8, &'static str),
    disposition: (u8, &'static str),
}

fn judged(outcome: Outcome) -> Judged {
    let (status, action, disposition) = match outcome {
        Outcome::Denied => ((2, "Failure"), (2, "Denied"), (2, "Blocked")),
        // It waits: the packets so far are gone, and the next may pass.
        Outcome::Held => ((2, "Failure"), (2, "Denied"), (6, "Dropped")),
        Outcome::WouldDeny => ((1, "Success"), (3, "Observed"), (17, "Logged")),
        Outcome::Allowed => ((1, "Success"), (1, "Allowed"), (1, "Allowed")),
        Outcome::Unknown => ((0, "Unknown"), (0, "Unknown"), (0, "Unknown")),
    };
    Judged {
        status,
        action,
        disposition,
    }
}

fn severity(severity: Severity) -> (u8, &'static str) {
    match severity {
        Severity::Informational => (1, "Informational"),
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
    }
}
