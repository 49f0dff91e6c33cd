use enforcer_common::verdict::Reason;
use jiff::Timestamp;

use super::{Signature, severity, write_version};
use crate::{
    events::{
        context::{Mode, PlaceInfo, WorkloadInfo, WorkloadKind},
        encode::{
            json::Object,
            text::workload,
            time::{Text, Times},
            transport,
        },
        record::{Destination, Facts, Outcome, Parent, Process, Violation, ip},
    },
    geo::SpecialRange,
};

/// Country of addresses that no database knows (a user-assigned code of ISO 3166-1).
pub(in crate::events::encode) const UNKNOWN_COUNTRY: &str = "ZZ";

pub(super) fn write(
    line: &mut Object<'_>,
    violation: &Violation,
    sequence: u64,
    signature: &Signature,
    times: &mut Times,
) {
    let facts = &*violation.facts;
    let end = times.text(violation.end);
    let start = if violation.start == violation.end {
        end
    } else {
        times.text(violation.start)
    };
    line.plain("@timestamp", &end);
    write_version(line);
    write_event(line, facts, sequence, &start, &end);
    write_flow(line, facts, violation.bytes);
    line.fields(&signature.fields);
    line.object("enforcer", |own| write_own(own, violation, signature));
}

/// What is known of the flow, in the words of the schema.
pub(super) fn write_flow(line: &mut Object<'_>, facts: &Facts, bytes: u64) {
    write_network(line, &facts.destination, bytes);
    write_destination(line, &facts.destination);
    if let Some(source) = facts.source {
        line.object("source", |object| {
            if let Some(addr) = source.addr {
                object.shown("ip", ip(addr));
            }
            if let Some(port) = source.port {
                object.number("port", port.0);
            }
        });
    }
    if let Some(process) = &facts.process {
        write_process(line, process);
    }
    if let Some(container) = &facts.placement.container {
        line.object("container", |object| {
            object.text("id", &container.id);
            object.maybe("runtime", container.runtime);
        });
    }
    write_orchestrator(line, facts);
    if let Some(rule) = &facts.rule {
        line.object("rule", |object| {
            object.text("name", &rule.rule);
            object.text("ruleset", &rule.policy);
        });
    }
}

/// What the schema has words for.
pub(super) struct Headline {
    kind: &'static str,
    types: &'static [&'static str],
    pub(super) action: &'static str,
    outcome: &'static str,
}

pub(super) fn headline(outcome: Outcome) -> Headline {
    let (kind, types, action, outcome): (_, &[_], _, _) = match outcome {
        Outcome::Denied => (
            "alert",
            &["connection", "denied"],
            "connection-denied",
            "failure",
        ),
        Outcome::WouldDeny => (
            "alert",
            &["connection", "allowed"],
            "connection-would-be-denied",
            "success",
        ),
        Outcome::Held => (
            "event",
            &["connection", "denied"],
            "connection-held",
            "failure",
        ),
        Outcome::Allowed => (
            "event",
            &["connection", "allowed"],
            "connection-allowed",
            "success",
        ),
        Outcome::Unknown => ("alert", &["connection"], "connection-judged", "unknown"),
    };
    Headline {
        kind,
        types,
        action,
        outcome,
    }
}

fn write_event(line: &mut Object<'_>, facts: &Facts, sequence: u64, start: &Text, end: &Text) {
    let headline = headline(facts.outcome);
    line.object("event", |event| {
        event.word("kind", headline.kind);
        event.texts("category", ["network"]);
        event.texts("type", headline.types.iter().copied());
        event.word("action", headline.action);
        event.word("reason", reason(facts));
        event.word("outcome", headline.outcome);
        event.number("sequence", sequence);
        event.number("severity", severity(facts.severity()));
        event.word("dataset", "enforcer.violation");
        event.word("module", "enforcer");
        event.plain("start", start);
        event.plain("end", end);
    });
}

/// Why, in the words of events.
pub(in crate::events::encode) fn reason(facts: &Facts) -> &'static str {
    facts.reason.map_or("unrecorded", Reason::as_str)
}

fn write_network(line: &mut Object<'_>, destination: &Destination, bytes: u64) {
    let family = if ip(destination.addr).is_ipv4() {
        "ipv4"
    } else {
        "ipv6"
    };
    line.object("network", |network| {
        network.word("direction", "egress");
        network.word("type", family);
        network.maybe("transport", transport(destination.proto));
        // A keyword in the schema, so a string.
        network.shown("iana_number", destination.proto.0);
        if bytes > 0 {
            network.number("bytes", bytes);
        }
    });
}

fn write_destination(line: &mut Object<'_>, destination: &Destination) {
    let place = &destination.place;
    line.object("destination", |object| {
        object.shown("ip", ip(destination.addr));
        if let Some(port) = destination.port {
            object.number("port", port.0);
        }
        object.maybe("domain", destination.names.domain.as_deref());
        // A special-purpose address is in no country, which is more than not known.
        if place.range.is_none() {
            let country = place.country.as_ref();
            let country = country.map_or(UNKNOWN_COUNTRY, |country| country.as_str());
            object.object("geo", |geo| geo.text("country_iso_code", country));
        }
        if let Some(asn) = place.asn {
            object.object("as", |system| {
                system.number("number", asn.0);
                if let Some(name) = &place.as_name {
                    system.object("organization", |holder| holder.text("name", name));
                }
            });
        }
    });
}

fn write_process(line: &mut Object<'_>, process: &Process) {
    let image = process.image.as_deref();
    line.object("process", |object| {
        object.number("pid", process.pid);
        object.text("name", &process.name.to_text());
        if let Some(image) = image {
            object.maybe("executable", image.executable.as_deref());
            object.maybe("command_line", image.command_line.as_deref());
        }
        // A keyword in the schema, so a string.
        object.object("user", |user| user.shown("id", process.uid));
        if let Some(parent) = image.and_then(|image| image.parent.as_ref()) {
            object.object("parent", |object| write_parent(object, parent));
        }
    });
}

fn write_parent(object: &mut Object<'_>, parent: &Parent) {
    object.number("pid", parent.pid);
    if let Some(name) = &parent.name {
        object.text("name", &name.to_text());
    }
    object.maybe("executable", parent.executable.as_deref());
}

fn write_orchestrator(line: &mut Object<'_>, facts: &Facts) {
    let id = facts.placement.pod_uid.as_deref();
    let named = facts.workload.as_deref().and_then(pod);
    if id.is_none() && named.is_none() {
        return;
    }
    line.object("orchestrator", |object| {
        object.word("type", "kubernetes");
        object.maybe("namespace", named.map(|(namespace, _)| namespace));
        object.object("resource", |resource| {
            resource.word("type", "pod");
            resource.maybe("name", named.map(|(_, pod)| pod));
            resource.maybe("id", id);
        });
    });
}

/// Namespace and name, if it is a pod.
pub(in crate::events::encode) fn pod(workload: &WorkloadInfo) -> Option<(&str, &str)> {
    match &workload.kind {
        WorkloadKind::Pod { namespace, pod } => Some((namespace, pod)),
        WorkloadKind::SystemdUnit | WorkloadKind::Cgroup | WorkloadKind::Exec => None,
    }
}

fn write_own(own: &mut Object<'_>, violation: &Violation, signature: &Signature) {
    let facts = &*violation.facts;
    own.word("verdict", facts.outcome.as_str());
    own.maybe("mode", facts.mode.map(Mode::as_str));
    write_workload(own, facts);
    if let Some(class) = facts.class {
        own.number("class", class.0);
    }
    own.maybe("hook", facts.hook.map(|hook| hook.as_str()));
    own.number("generation", facts.generation);
    own.number("count", violation.count);
    if let Some(judged) = facts.destination.judged {
        own.shown("judged_ip", ip(judged));
    }
    let patterns = &facts.destination.names.patterns;
    if !patterns.is_empty() {
        own.texts("name_patterns", patterns.iter().map(|pattern| &**pattern));
    }
    if let Some(rule) = &facts.rule {
        let texts = |own: &mut Object<'_>, name, values: &[String]| {
            if !values.is_empty() {
                own.texts(name, values.iter().map(String::as_str));
            }
        };
        texts(own, "data_categories", &rule.data_categories);
        texts(own, "legal_basis", &rule.legal_basis);
        own.maybe("no_agreement", rule.no_agreement.as_deref());
        own.shown(
            "rule_source",
            format_args!("{}:{}", rule.file.display(), rule.line),
        );
    }
    write_geo(own, &facts.destination.place, violation.end);
    own.fields(&signature.run);
}

pub(super) fn write_workload(own: &mut Object<'_>, facts: &Facts) {
    let known = facts.workload.as_deref();
    own.text("workload", workload(facts));
    own.maybe(
        "workload_kind",
        known.map(|workload| workload.kind.as_str()),
    );
    own.maybe("cgroup", facts.cgroup.as_deref());
}

fn write_geo(own: &mut Object<'_>, place: &PlaceInfo, at: Timestamp) {
    let database = place.database.as_deref();
    let known =
        database.is_some() || place.agreement.is_some() || place.range.is_some() || place.anycast;
    if !known {
        return;
    }
    own.object("geo", |geo| {
        if let Some(database) = database {
            geo.text("database", &database.name);
            if let Some(built) = database.build_epoch() {
                geo.number("build_epoch", built);
                geo.number("age_days", database.age_days(at));
            }
        }
        geo.maybe(
            "agreement",
            place.agreement.map(|agreement| agreement.as_str()),
        );
        geo.maybe("range", place.range.and_then(range_name));
        if place.anycast {
            geo.flag("anycast", true);
        }
    });
}

pub(in crate::events::encode) fn range_name(range: SpecialRange) -> Option<&'static str> {
    SpecialRange::ALL
        .iter()
        .find(|(known, _)| *known == range)
        .map(|(_, name)| *name)
}
