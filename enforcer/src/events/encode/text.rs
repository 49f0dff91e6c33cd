//! What a record says in a sentence, and words that several formats share.

use std::fmt;

use super::{
    ecs::{UNKNOWN_COUNTRY, daemon, pod, range_name},
    transport,
};
use crate::events::{
    offenders::WINDOW,
    record::{Facts, Finding, Outcome, Record, Violation, ip},
};

/// A record as a short sentence for people.
pub(super) struct Sentence<'a>(pub(super) &'a Record);

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Record::Violation(violation) => write_violation(f, violation),
            Record::Finding(finding) => Repeated(finding).fmt(f),
            Record::Daemon(_, event) => f.write_str(&daemon::message(event)),
        }
    }
}

/// A finding as a sentence.
pub(super) struct Repeated<'a>(pub(super) &'a Finding);

impl fmt::Display for Repeated<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let facts = &*self.0.facts;
        write!(
            f,
            "denied {} times within {} s: {}, last to {}",
            self.0.count,
            WINDOW.as_secs(),
            workload(facts),
            ip(facts.destination.addr)
        )?;
        match &facts.rule {
            Some(rule) => write!(f, ", by {}", rule.policy),
            None => Ok(()),
        }
    }
}

/// Names a finding: its own name while it goes on, among those of all runs.
pub(super) fn finding_uid(run: &str, finding: &Finding) -> String {
    format!("{run}-finding-{}", finding.number)
}

fn write_violation(f: &mut fmt::Formatter<'_>, violation: &Violation) -> fmt::Result {
    let facts = &*violation.facts;
    let destination = &facts.destination;
    write!(f, "{}: {} to ", done(facts.outcome), workload(facts))?;
    match (&destination.names.domain, destination.port) {
        (Some(name), _) => write!(f, "{name} ({})", ip(destination.addr))?,
        (None, _) => write!(f, "{}", ip(destination.addr))?,
    }
    if let Some(port) = destination.port {
        write!(f, " port {}", port.0)?;
    }
    match transport(destination.proto) {
        Some(name) => write!(f, " {name}")?,
        None => write!(f, " protocol {}", destination.proto.0)?,
    }
    write!(f, ", {}", place(facts))?;
    if let Some(rule) = &facts.rule {
        write!(f, ", by {}/{}", rule.policy, rule.rule)?;
    }
    if violation.count > 1 {
        write!(f, ", {} times", violation.count)?;
    }
    Ok(())
}

fn done(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Denied => "denied",
        Outcome::WouldDeny => "would be denied",
        Outcome::Held => "held",
        Outcome::Allowed => "allowed",
        Outcome::Unknown => "judged",
    }
}

/// The workload's name; `unknown` without one.
pub(super) fn workload(facts: &Facts) -> &str {
    let workload = facts.workload.as_deref();
    workload.map_or("unknown", |workload| &workload.name)
}

/// Country of the destination, or the special-purpose range it is in.
pub(super) fn place(facts: &Facts) -> &str {
    let place = &facts.destination.place;
    match place.range.and_then(range_name) {
        Some(range) => range,
        None => place
            .country
            .as_ref()
            .map_or(UNKNOWN_COUNTRY, |country| country.as_str()),
    }
}

/// Namespace and name of the pod.
pub(super) fn pod_of(facts: &Facts) -> Option<(&str, &str)> {
    facts.workload.as_deref().and_then(pod)
}
