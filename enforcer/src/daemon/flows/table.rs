//! Flows by who, where and what became of them.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use enforcer_common::abi::{FlowCount, Proto};
use jiff::Timestamp;

use crate::{
    control::FlowRecord,
    events::{Clock, Facts, Outcome, record::ip},
    geo::SpecialRange,
};

/// What was counted of a flow.
pub(super) struct Seen {
    pub(super) count: u64,
    pub(super) bytes: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

impl Seen {
    pub(super) fn at(clock: Clock, count: &FlowCount) -> Self {
        Self {
            count: count.count,
            bytes: count.bytes,
            first: clock.wall(count.first_ns),
            last: clock.wall(count.last_ns),
        }
    }
}

/// What makes two counts one flow. Rules by their names: their numbers change with each image.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    cgroup: Option<Arc<str>>,
    destination: IpAddr,
    port: Option<u16>,
    proto: Proto,
    name: Option<Arc<str>>,
    verdict: &'static str,
    rule: Option<(Arc<str>, Arc<str>)>,
}

impl Key {
    fn of(facts: &Facts) -> Self {
        let rule = facts.rule.as_ref();
        Self {
            cgroup: facts.cgroup.clone(),
            destination: ip(facts.destination.addr),
            port: facts.destination.port.map(|port| port.0),
            proto: facts.destination.proto,
            name: facts.destination.names.domain.clone(),
            verdict: facts.outcome.as_str(),
            rule: rule.map(|rule| (Arc::clone(&rule.policy), Arc::clone(&rule.rule))),
        }
    }

    /// `None` where another version wrote words that this one does not know.
    fn of_record(flow: &FlowRecord) -> Option<Self> {
        let shared = |text: &Option<String>| text.as_deref().map(Arc::from);
        Some(Self {
            cgroup: shared(&flow.cgroup),
            destination: flow.destination,
            port: flow.port,
            proto: proto(&flow.protocol, flow.destination)?,
            name: shared(&flow.name),
            verdict: ["allow", "deny", "would_deny"]
                .into_iter()
                .find(|verdict| *verdict == flow.verdict)?,
            rule: shared(&flow.policy).zip(shared(&flow.rule)),
        })
    }
}

/// A bounded number of flows.
pub(super) struct Table {
    flows: HashMap<Key, FlowRecord>,
    most: usize,
    /// Flows that found no room, or could not be read.
    pub(super) dropped: u64,
}

impl Table {
    pub(super) fn new(most: usize) -> Self {
        Self {
            flows: HashMap::new(),
            most,
            dropped: 0,
        }
    }

    pub(super) fn add(&mut self, facts: &Facts, seen: Seen) {
        let full = self.flows.len() >= self.most;
        match self.flows.entry(Key::of(facts)) {
            Entry::Occupied(mut known) => {
                let flow = known.get_mut();
                flow.count += seen.count;
                flow.bytes += seen.bytes;
                flow.last_seen = flow.last_seen.max(seen.last);
                flow.first_seen = flow.first_seen.min(seen.first);
                if let Some(rule) = &facts.rule {
                    flow.line = Some(rule.line);
                }
                if flow.reason.is_none() {
                    flow.reason = reason(facts).map(str::to_owned);
                }
            }
            Entry::Vacant(_) if full => self.dropped += 1,
            Entry::Vacant(free) => {
                free.insert(record(facts, seen));
            }
        }
    }

    pub(super) fn restore(&mut self, flow: FlowRecord) {
        match Key::of_record(&flow) {
            Some(key) if self.flows.len() < self.most => {
                self.flows.insert(key, flow);
            }
            _ => self.dropped += 1,
        }
    }

    /// Forgets what was not seen for `keep`.
    pub(super) fn forget(&mut self, now: Timestamp, keep: Duration) {
        let keep = i64::try_from(keep.as_secs()).unwrap_or(i64::MAX);
        self.flows
            .retain(|_, flow| now.as_second().saturating_sub(flow.last_seen.as_second()) <= keep);
    }

    pub(super) fn flows(&self) -> impl Iterator<Item = &FlowRecord> {
        self.flows.values()
    }
}

fn record(facts: &Facts, seen: Seen) -> FlowRecord {
    let place = &facts.destination.place;
    let rule = facts.rule.as_ref();
    let text = |text: &Arc<str>| text.to_string();
    let unknown = place.range.is_none().then(|| "ZZ".to_owned());
    FlowRecord {
        workload: facts.workload.as_ref().map(|workload| text(&workload.name)),
        cgroup: facts.cgroup.as_ref().map(text),
        destination: ip(facts.destination.addr),
        port: facts.destination.port.map(|port| port.0),
        protocol: protocol(facts.destination.proto),
        name: facts.destination.names.domain.as_ref().map(text),
        country: match place.range {
            Some(_) => None,
            None => place.country.map(|country| country.to_string()).or(unknown),
        },
        asn: place.asn.map(|asn| asn.0),
        as_name: place.as_name.as_ref().map(text),
        anycast: place.anycast,
        range: place.range.map(SpecialRange::as_str).map(str::to_owned),
        verdict: facts.outcome.as_str().to_owned(),
        reason: reason(facts).map(str::to_owned),
        policy: rule.map(|rule| text(&rule.policy)),
        rule: rule.map(|rule| text(&rule.rule)),
        file: rule.map(|rule| rule.file.to_path_buf()),
        line: rule.map(|rule| rule.line),
        count: seen.count,
        bytes: seen.bytes,
        first_seen: seen.first,
        last_seen: seen.last,
    }
}

/// Why, or what the rest of the record proves of it: the kernel's tables keep no reasons.
fn reason(facts: &Facts) -> Option<&'static str> {
    let proven = match (&facts.rule, facts.outcome) {
        (Some(_), _) => Some("rule"),
        (None, Outcome::Allowed) => Some("released"),
        (None, Outcome::Denied | Outcome::WouldDeny | Outcome::Held | Outcome::Unknown) => None,
    };
    facts.reason.map(|reason| reason.as_str()).or(proven)
}

/// As [`FlowRecord::protocol`] has it.
fn protocol(proto: Proto) -> String {
    match proto {
        Proto::TCP => "tcp".to_owned(),
        Proto::UDP => "udp".to_owned(),
        Proto::SCTP => "sctp".to_owned(),
        Proto::UDPLITE => "udplite".to_owned(),
        Proto::ICMP | Proto::ICMPV6 => "icmp".to_owned(),
        Proto(number) => number.to_string(),
    }
}

fn proto(name: &str, to: IpAddr) -> Option<Proto> {
    Some(match name {
        "tcp" => Proto::TCP,
        "udp" => Proto::UDP,
        "sctp" => Proto::SCTP,
        "udplite" => Proto::UDPLITE,
        "icmp" => Proto::icmp_to(to.into()),
        number => Proto(number.parse().ok()?),
    })
}

#[cfg(test)]
mod tests;
