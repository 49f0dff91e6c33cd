//! Protocols and ports, in runs that no policy tells apart.

use std::fmt;

use enforcer_common::abi::{Port, Ports, Proto, Segment};

use crate::{
    compile::{lists::turning_points, resolve::DNS_PORTS},
    policy::Policy,
};

/// Keys ([`Segment::key`]) from `first` up to, but not including, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    first: u32,
    end: u32,
}

/// Key of the first port of the next protocol, less that of the first port of this one.
const PROTOCOL: u32 = 1 << 17;
/// Ports of a protocol that has ports, without the place for packets that carry none.
const PORTS: u32 = 1 << 16;

/// All protocols and ports, cut where a rule of any policy begins or ends.
pub(super) fn runs<'p>(policies: impl Iterator<Item = &'p Policy>) -> Vec<Run> {
    let rules = policies.flat_map(|policy| &policy.rules);
    let specs = rules.flat_map(|rule| &rule.ports);
    let mut starts = vec![0];
    // A policy with names also has a rule for its resolvers.
    for spec in specs.chain(&DNS_PORTS) {
        // So that a run of ports is of one protocol.
        starts.push(u32::from(spec.proto.0) * PROTOCOL);
        starts.extend(turning_points(spec));
    }
    starts.retain(|&start| start < Segment::KEYS);
    starts.sort_unstable();
    starts.dedup();
    let ends = starts.iter().skip(1).copied().chain([Segment::KEYS]);
    starts
        .iter()
        .zip(ends)
        .map(|(&first, end)| Run { first, end })
        .collect()
}

impl Run {
    /// Everything.
    pub(super) const ALL: Self = Self {
        first: 0,
        end: Segment::KEYS,
    };

    /// Adds a run behind the others, as one with them where one line can say both.
    pub(super) fn add(runs: &mut Vec<Self>, run: Self) {
        runs.push(run);
        while let [.., before, last] = runs[..]
            && let Some(joined) = before.joined(last)
        {
            runs.truncate(runs.len() - 2);
            runs.push(joined);
        }
    }

    fn joined(self, next: Self) -> Option<Self> {
        let both = Self {
            first: self.first,
            end: next.end,
        };
        let one_protocol = both.first / PROTOCOL == (both.end - 1) / PROTOCOL;
        let ports = one_protocol && (both.end - 1) % PROTOCOL < PORTS;
        let whole = both.first.is_multiple_of(PROTOCOL) && both.end.is_multiple_of(PROTOCOL);
        (self.end == next.first && (ports || whole)).then_some(both)
    }

    pub(super) fn proto(&self) -> Proto {
        Proto((self.first / PROTOCOL) as u8)
    }

    pub(super) fn ports(&self) -> Ports {
        match self.first % PROTOCOL {
            port if port < PORTS => Ports::is(Port(port as u16)),
            _ if self.proto().has_ports() => Ports::UNKNOWN,
            _ => Ports::ABSENT,
        }
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = (self.first % PROTOCOL, (self.end - 1) % PROTOCOL);
        let last = Proto(((self.end - 1) / PROTOCOL) as u8);
        let name = name(self.proto());
        if last != self.proto() {
            return write!(f, "protocols {}-{}", self.proto().0, last.0);
        }
        match (low, high.min(PORTS - 1)) {
            (PORTS.., _) if self.proto().has_ports() => write!(f, "fragments/{name}"),
            (PORTS.., _) => f.write_str(&name),
            (0, high) if high == PORTS - 1 => f.write_str(&name),
            (low, high) if low == high => write!(f, "{low}/{name}"),
            (low, high) => write!(f, "{low}-{high}/{name}"),
        }
    }
}

fn name(proto: Proto) -> String {
    let known = [
        (Proto::TCP, "tcp"),
        (Proto::UDP, "udp"),
        (Proto::SCTP, "sctp"),
        (Proto::UDPLITE, "udplite"),
        (Proto::ICMP, "icmp"),
        (Proto::ICMPV6, "icmpv6"),
    ];
    let found = known.into_iter().find(|(known, _)| *known == proto);
    found.map_or_else(|| proto.0.to_string(), |(_, name)| name.to_owned())
}
