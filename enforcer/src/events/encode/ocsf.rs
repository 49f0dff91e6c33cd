//! Open Cybersecurity Schema Framework: Network Activity (4001) with the profiles `security_control`,
//! `host` and `container`; the daemon's own events are Application Lifecycle (6002).
//!
//! What the schema has no words for goes under `unmapped.enforcer`.

use std::time::UNIX_EPOCH;

use super::{
    ecs::{action, pod, range_name, reason},
    json::{Object, object},
    text::{Sentence, workload},
    transport,
};
use crate::events::record::{
    DaemonEvent, Destination, Facts, Observer, Outcome, Process, Record, Severity, Violation, ip,
};

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
            metadata.shown("uid", format_args!("{}-{sequence}", self.observer.stream));
            metadata.number("sequence", sequence);
            metadata.word("event_code", action(record));
        });
        line.object("device", |device| {
            device.text("hostname", &self.observer.host);
            device.number("type_id", SERVER.0);
            device.word("type", SERVER.1);
        });
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
        if let Some(source) = facts.source {
            line.object("src_endpoint", |endpoint| {
                // An endpoint has more than a port.
                endpoint.text("name", workload(facts));
                if let Some(addr) = source.addr {
                    endpoint.shown("ip", ip(addr));
                }
                if let Some(port) = source.port {
                    endpoint.number("port", port.0);
                }
            });
        }
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
            unmapped.object("enforcer", |own| self.write_own(own, violation));
        });
    }

    fn write_own(&self, own: &mut Object<'_>, violation: &Violation) {
        let facts = &*violation.facts;
        let place = &facts.destination.place;
        own.word("verdict", facts.outcome.as_str());
        own.maybe("mode", facts.mode.map(|mode| mode.as_str()));
        own.text("workload", workload(facts));
        if let Some((namespace, name)) = facts.workload.as_deref().and_then(pod) {
            own.text("namespace", namespace);
            own.text("pod", name);
        }
        own.maybe("cgroup", facts.cgroup.as_deref());
        own.maybe("hook", facts.hook.map(|hook| hook.as_str()));
        own.number("generation", facts.generation);
        if let Some(class) = facts.class {
            own.number("class", class.0);
        }
        if let Some(judged) = facts.destination.judged {
            own.shown("judged_ip", ip(judged));
        }
        if let Some(rule) = &facts.rule {
            own.texts(
                "data_categories",
                rule.data_categories.iter().map(String::as_str),
            );
            own.texts("legal_basis", rule.legal_basis.iter().map(String::as_str));
            own.shown(
                "rule_source",
                format_args!("{}:{}", rule.file.display(), rule.line),
            );
        }
        if let Some(database) = &place.database {
            own.text("geo_database", &database.name);
            if let Ok(built) = database.built.duration_since(UNIX_EPOCH) {
                own.number("geo_build_epoch", built.as_secs());
            }
        }
        own.maybe(
            "geo_agreement",
            place.agreement.map(|agreement| agreement.as_str()),
        );
        own.maybe("geo_range", place.range.and_then(range_name));
        if place.anycast {
            own.flag("anycast", true);
        }
        own.text("run", &self.observer.run);
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
    let (activity, network) = match record {
        Record::Violation(violation) => (activity(violation.facts.outcome), true),
        Record::Daemon(_, event) => (lifecycle(event), false),
    };
    if network {
        Class {
            category: (4, "Network Activity"),
            class: (4001, "Network Activity"),
            activity,
            profiles: &["security_control", "host", "container"],
        }
    } else {
        Class {
            category: (6, "Application Activity"),
            class: (6002, "Application Lifecycle"),
            activity,
            profiles: &["host"],
        }
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
        | DaemonEvent::SinkRecovered { .. } => (99, "Other"),
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

fn write_connection(line: &mut Object<'_>, destination: &Destination) {
    let (version, name) = if ip(destination.addr).is_ipv4() {
        (4, "Internet Protocol version 4 (IPv4)")
    } else {
        (6, "Internet Protocol version 6 (IPv6)")
    };
    line.object("connection_info", |connection| {
        connection.number("direction_id", 2);
        connection.word("direction", "Outbound");
        connection.number("protocol_num", destination.proto.0);
        connection.maybe("protocol_name", transport(destination.proto));
        connection.number("protocol_ver_id", version);
        connection.word("protocol_ver", name);
    });
}

fn write_destination(line: &mut Object<'_>, destination: &Destination) {
    let place = &destination.place;
    line.object("dst_endpoint", |endpoint| {
        endpoint.shown("ip", ip(destination.addr));
        if let Some(port) = destination.port {
            endpoint.number("port", port.0);
        }
        endpoint.maybe("hostname", destination.domain.as_deref());
        // The schema wants a country that is one: what is not known is left out.
        if let (Some(country), None) = (&place.country, place.range) {
            endpoint.object("location", |location| {
                location.text("country", country.as_str());
            });
        }
        if let Some(asn) = place.asn {
            endpoint.object("autonomous_system", |system| {
                system.number("number", asn.0);
                system.maybe("name", place.as_name.as_deref());
            });
        }
    });
}

fn write_rule(line: &mut Object<'_>, facts: &Facts) {
    let Some(rule) = &facts.rule else {
        return;
    };
    line.object("firewall_rule", |object| {
        object.shown("uid", format_args!("{}/{}", rule.policy, rule.rule));
        object.text("name", &rule.rule);
        object.word("type", "egress");
    });
    line.object("policy", |object| {
        object.text("name", &rule.policy);
        object.shown("uid", format_args!("{}", rule.policy));
        object.flag("is_applied", facts.outcome != Outcome::WouldDeny);
    });
}

fn write_process(object: &mut Object<'_>, facts: &Facts, process: &Process) {
    object.number("pid", process.pid);
    object.text("name", &process.name.to_text());
    object.object("user", |user| user.shown("uid", process.uid));
    if let Some(image) = &process.image {
        object.maybe("cmd_line", image.command_line.as_deref());
        write_file(object, image.executable.as_deref());
        if let Some(parent) = &image.parent {
            object.object("parent_process", |object| {
                object.number("pid", parent.pid);
                if let Some(name) = &parent.name {
                    object.text("name", &name.to_text());
                }
                write_file(object, parent.executable.as_deref());
            });
        }
    }
    if let Some(container) = &facts.placement.container {
        object.object("container", |object| {
            object.text("uid", &container.id);
            object.maybe("runtime", container.runtime);
            object.maybe("pod_uuid", facts.placement.pod_uid.as_deref());
        });
    }
}

fn write_file(object: &mut Object<'_>, path: Option<&str>) {
    let Some(path) = path else {
        return;
    };
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    object.object("file", |file| {
        file.text("name", name);
        file.text("path", path);
        file.number("type_id", 1);
        file.word("type", "Regular File");
    });
}
