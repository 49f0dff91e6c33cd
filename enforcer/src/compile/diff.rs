//! The same policies over other databases: which verdicts change, exactly.

use std::collections::HashMap;

use enforcer_common::{
    abi::{Addr, Atom, CgroupId, ClassId, Hook, Port, Ports, Proto},
    verdict::{Decision, Flow, Verdict},
};

use super::{Atlas, CompileError, Image, Input, compile, resolve::DNS_PORTS};
use crate::{
    geo::diff::{Address, Extent, Groups, ranges, side_by_side},
    policy::Policy,
};

/// A protocol and ports that no rule tells apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// `443/tcp`, `9000-9010/tcp`, `17` for a protocol by its number, or `other`.
    pub name: String,
    proto: Proto,
    ports: Ports,
}

/// Addresses whose verdict changes.
#[derive(Debug)]
pub struct VerdictChange {
    /// Whose flows.
    pub class: ClassId,
    /// Of which service.
    pub service: Service,
    /// The decision over the first input.
    pub old: Decision,
    /// The decision over the second one.
    pub new: Decision,
    /// How many addresses.
    pub extent: Extent,
}

/// Compares what two inputs with the same policies and classes decide, over every ordinary address
/// and every service, for destinations of which no name is known. Largest change first.
///
/// # Errors
/// The policies are more than an image can hold.
pub fn changed_verdicts(
    old: &Input<'_>,
    new: &Input<'_>,
) -> Result<(Image, Vec<VerdictChange>), CompileError> {
    let before = Atlas::of(old)?;
    let after = Atlas::of(new)?;
    let image = compile(old)?;
    let mut comparison = Comparison {
        classes: old.classes.len() as u16,
        services: services(old.policies),
        new: compile(new)?,
        old: image,
        pairs: HashMap::new(),
        groups: Groups::default(),
    };
    comparison.add(&side_by_side(&before.v4, &after.v4));
    comparison.add(&side_by_side(&before.v6, &after.v6));
    Ok(comparison.finish())
}

/// A class, a service (by its place in the list) and two verdicts.
type Change = (u16, usize, Said, Said);

/// A change and the two decisions.
type Changed = (Change, Decision, Decision);

/// A verdict, and its rule: a change from one rule that denies to another is none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Said(bool, bool, u16);

struct Comparison {
    classes: u16,
    services: Vec<Service>,
    old: Image,
    new: Image,
    /// For each pair of atoms, what changes.
    pairs: HashMap<(Atom, Atom), Vec<Changed>>,
    groups: Groups<Change>,
}

impl Comparison {
    fn add<K: Address>(&mut self, laid: &[(K, (Atom, Atom))]) {
        for (range, pair) in ranges(laid) {
            if range.embeds() {
                continue;
            }
            if !self.pairs.contains_key(&pair) {
                let changes = self.changes(range.first);
                self.pairs.insert(pair, changes);
            }
            for (change, ..) in &self.pairs[&pair] {
                self.groups.add(*change, range);
            }
        }
    }

    /// What changes for the addresses of a pair of atoms, of which `dst` is one.
    fn changes(&self, dst: Addr) -> Vec<Changed> {
        let mut changes = Vec::new();
        for class in 0..self.classes {
            for (index, service) in self.services.iter().enumerate() {
                let flow = service.flow(dst);
                let old = self.old.decide(ClassId(class), &flow, &[]);
                let new = self.new.decide(ClassId(class), &flow, &[]);
                if (old.verdict, old.would_deny) != (new.verdict, new.would_deny) {
                    let change = (class, index, Said::of(&old), Said::of(&new));
                    changes.push((change, old, new));
                }
            }
        }
        changes
    }

    fn finish(self) -> (Image, Vec<VerdictChange>) {
        let known: HashMap<Change, (Decision, Decision)> = self
            .pairs
            .into_values()
            .flatten()
            .map(|(change, old, new)| (change, (old, new)))
            .collect();
        let change = |(change, extent): (Change, Extent)| {
            let (old, new) = *known.get(&change)?;
            Some(VerdictChange {
                class: ClassId(change.0),
                service: self.services.get(change.1)?.clone(),
                old,
                new,
                extent,
            })
        };
        let groups = self.groups.largest_first();
        (self.old, groups.into_iter().filter_map(change).collect())
    }
}

impl Said {
    fn of(decision: &Decision) -> Self {
        let denied = decision.verdict != Verdict::Allow;
        Self(denied, decision.would_deny, decision.rule.0)
    }
}

impl Service {
    fn flow(&self, dst: Addr) -> Flow {
        Flow {
            subject: CgroupId(0),
            dst,
            proto: self.proto,
            ports: self.ports,
            hook: Hook::Connect,
        }
    }
}

/// Everything that the rules of `policies` tell apart, and what none of them names.
fn services(policies: &[Policy]) -> Vec<Service> {
    let rules = policies.iter().flat_map(|policy| &policy.rules);
    let named = policies.iter().any(|policy| policy.dns.is_some());
    let specs: Vec<_> = rules
        .flat_map(|rule| &rule.ports)
        .chain(DNS_PORTS.iter().filter(|_| named))
        .collect();
    let mut protos: Vec<Proto> = specs.iter().map(|spec| spec.proto).collect();
    protos.sort_unstable();
    protos.dedup();
    let mut services = Vec::new();
    for &proto in &protos {
        let bounds = specs.iter().filter(|spec| spec.proto == proto);
        let bounds = bounds.filter_map(|spec| spec.ports);
        let mut starts: Vec<u32> = bounds
            .flat_map(|(low, high)| [u32::from(low.0), u32::from(high.0) + 1])
            .chain([0])
            .filter(|&start| start <= u32::from(u16::MAX))
            .collect();
        starts.sort_unstable();
        starts.dedup();
        if !proto.has_ports() {
            services.push(Service {
                name: name_of(proto),
                proto,
                ports: Ports::ABSENT,
            });
            continue;
        }
        for (index, &first) in starts.iter().enumerate() {
            let last = starts
                .get(index + 1)
                .map_or(u32::from(u16::MAX), |next| next - 1);
            let ports = match last {
                last if last == first => first.to_string(),
                last => format!("{first}-{last}"),
            };
            services.push(Service {
                name: format!("{ports}/{}", name_of(proto)),
                proto,
                ports: Ports::is(Port(first as u16)),
            });
        }
    }
    // A protocol that nobody names stands for all of them.
    let other = (0..=u8::MAX)
        .map(Proto)
        .find(|proto| !proto.has_ports() && protos.binary_search(proto).is_err());
    services.extend(other.map(|proto| Service {
        name: "other".to_owned(),
        proto,
        ports: Ports::ABSENT,
    }));
    services
}

fn name_of(proto: Proto) -> String {
    match proto {
        Proto::TCP => "tcp".to_owned(),
        Proto::UDP => "udp".to_owned(),
        Proto::SCTP => "sctp".to_owned(),
        Proto::UDPLITE => "udplite".to_owned(),
        Proto::ICMP => "icmp".to_owned(),
        Proto::ICMPV6 => "icmpv6".to_owned(),
        Proto(number) => number.to_string(),
    }
}

#[cfg(test)]
mod tests;
