use std::time::UNIX_EPOCH;

use enforcer_common::verdict::Reason;

use super::{
    document::{
        Agent, AutonomousSystem, Container, Destination, Document, ECS, Event, Geo, Host, Network,
        Orchestrator, Organization, Own, OwnGeo, OwnViolation, Parent, Process, Resource, Rule,
        RuleSource, Shown, Source, Time, User,
    },
    severity,
};
use crate::{
    events::{
        context::{Mode, PlaceInfo, WorkloadInfo, WorkloadKind},
        encode::transport,
        record::{self, Facts, Outcome, Violation, ip},
    },
    geo::SpecialRange,
};

/// Country of addresses that no database knows (a user-assigned code of ISO 3166-1).
const UNKNOWN_COUNTRY: &str = "ZZ";

pub(super) fn document<'a>(
    violation: &'a Violation,
    sequence: u64,
    observer: Agent<'a>,
    host: Host<'a>,
) -> Document<'a> {
    let facts = &*violation.facts;
    let run = observer.run;
    Document {
        timestamp: Time(violation.end),
        ecs: ECS,
        event: event(violation, sequence),
        message: None,
        error: None,
        network: Some(network(violation)),
        destination: Some(destination(&facts.destination)),
        source: facts.source.map(|source| Source {
            ip: source.addr.map(ip),
            port: source.port.map(|port| port.0),
        }),
        process: facts.process.as_ref().map(process),
        container: facts.container.as_ref().map(|container| Container {
            id: &container.id,
            runtime: container.runtime,
        }),
        orchestrator: orchestrator(facts),
        rule: facts.rule.as_ref().map(|rule| Rule {
            name: &rule.rule,
            ruleset: &rule.policy,
        }),
        observer,
        host,
        enforcer: Own::Violation(own(violation, run)),
    }
}

fn event(violation: &Violation, sequence: u64) -> Event<'_> {
    let facts = &violation.facts;
    let (kind, types, action, outcome): (_, &[_], _, _) = match facts.outcome {
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
    Event {
        kind,
        category: ["network"],
        types,
        action,
        reason: Some(facts.reason.map_or("unrecorded", Reason::as_str)),
        outcome,
        sequence,
        severity: severity(facts.severity()),
        dataset: "enforcer.violation",
        module: "enforcer",
        start: Some(Time(violation.start)),
        end: Some(Time(violation.end)),
    }
}

fn network(violation: &Violation) -> Network {
    let destination = &violation.facts.destination;
    Network {
        direction: "egress",
        family: if ip(destination.addr).is_ipv4() {
            "ipv4"
        } else {
            "ipv6"
        },
        transport: transport(destination.proto),
        iana_number: Shown(destination.proto.0),
        bytes: (violation.bytes > 0).then_some(violation.bytes),
    }
}

fn destination(destination: &record::Destination) -> Destination<'_> {
    let place = &destination.place;
    let country = place
        .country
        .as_ref()
        .map_or(UNKNOWN_COUNTRY, |country| country.as_str());
    Destination {
        ip: ip(destination.addr),
        port: destination.port.map(|port| port.0),
        domain: destination.domain.as_deref(),
        // A special-purpose address is in no country, which is more than not known.
        geo: place.range.is_none().then_some(Geo {
            country_iso_code: country,
        }),
        autonomous_system: place.asn.map(|asn| AutonomousSystem {
            number: asn.0,
            organization: place.as_name.as_deref().map(|name| Organization { name }),
        }),
    }
}

fn process(process: &record::Process) -> Process<'_> {
    let image = process.image.as_deref();
    Process {
        pid: process.pid,
        name: process.name.to_text(),
        executable: image.and_then(|image| image.executable.as_deref()),
        command_line: image.and_then(|image| image.command_line.as_deref()),
        user: User {
            id: Shown(process.uid),
        },
        parent: image
            .and_then(|image| image.parent)
            .map(|pid| Parent { pid }),
    }
}

fn orchestrator(facts: &Facts) -> Option<Orchestrator<'_>> {
    let id = facts.pod_uid.as_deref();
    let named = facts.workload.as_deref().and_then(pod);
    (id.is_some() || named.is_some()).then(|| Orchestrator {
        kind: "kubernetes",
        namespace: named.map(|(namespace, _)| namespace),
        resource: Resource {
            kind: "pod",
            name: named.map(|(_, pod)| pod),
            id,
        },
    })
}

fn pod(workload: &WorkloadInfo) -> Option<(&str, &str)> {
    match &workload.kind {
        WorkloadKind::Pod { namespace, pod } => Some((namespace, pod)),
        WorkloadKind::SystemdUnit | WorkloadKind::Cgroup | WorkloadKind::Exec => None,
    }
}

fn own<'a>(violation: &'a Violation, run: &'a str) -> OwnViolation<'a> {
    let facts = &*violation.facts;
    let rule = facts.rule.as_deref();
    let workload = facts.workload.as_deref();
    OwnViolation {
        verdict: facts.outcome.as_str(),
        mode: facts.mode.map(Mode::as_str),
        workload: workload.map_or("unknown", |workload| &workload.name),
        workload_kind: workload.map(|workload| kind(&workload.kind)),
        cgroup: facts.cgroup.as_deref(),
        class: facts.class.map(|class| class.0),
        hook: facts.hook.map(|hook| hook.as_str()),
        generation: facts.generation,
        count: violation.count,
        judged_ip: facts.destination.judged.map(ip),
        data_categories: rule
            .map(|rule| rule.data_categories.as_slice())
            .unwrap_or_default(),
        legal_basis: rule
            .map(|rule| rule.legal_basis.as_slice())
            .unwrap_or_default(),
        no_agreement: rule.and_then(|rule| rule.no_agreement.as_deref()),
        rule_source: rule.map(|rule| {
            Shown(RuleSource {
                file: &rule.file,
                line: rule.line,
            })
        }),
        geo: geo(&facts.destination.place),
        run,
    }
}

fn kind(kind: &WorkloadKind) -> &'static str {
    match kind {
        WorkloadKind::Pod { .. } => "pod",
        WorkloadKind::SystemdUnit => "systemd-unit",
        WorkloadKind::Cgroup => "cgroup",
        WorkloadKind::Exec => "exec",
    }
}

fn geo(place: &PlaceInfo) -> Option<OwnGeo<'_>> {
    let database = place.database.as_deref();
    let known =
        database.is_some() || place.agreement.is_some() || place.range.is_some() || place.anycast;
    known.then(|| OwnGeo {
        database: database.map(|database| &*database.name),
        build_epoch: database
            .and_then(|database| database.built.duration_since(UNIX_EPOCH).ok())
            .map(|since| since.as_secs()),
        agreement: place.agreement.map(|agreement| agreement.as_str()),
        range: place.range.and_then(range_name),
        anycast: place.anycast,
    })
}

fn range_name(range: SpecialRange) -> Option<&'static str> {
    SpecialRange::ALL
        .iter()
        .find(|(known, _)| *known == range)
        .map(|(_, name)| *name)
}
