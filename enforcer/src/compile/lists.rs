//! What each class says of each atom: decision lists, flattened over protocols and ports.

use std::collections::HashMap;

use enforcer_common::abi::{MatrixEntry, Outcome, Ports, Proto, Segment};

use super::{
    Input,
    pages::{Arena, pad, words_of},
    partition::Partition,
    provenance::Rules,
};
use crate::policy::{Action, Mode, Policy, PortSpec};

/// The rules of one policy that concern an atom, in order, up to the first without a condition. The
/// policy's default is the rule after its last.
type Section = Vec<usize>;

/// The matrix, row by class.
pub(super) struct ClassLists {
    pub(super) matrix: Vec<u32>,
    lists: usize,
}

/// What an image's decision part consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListUsage {
    /// Cells of the matrix.
    pub cells: usize,
    /// Distinct lists that depend on protocol or port.
    pub lists: usize,
}

impl ClassLists {
    pub(super) fn write(
        arena: &mut Arena,
        input: &Input<'_>,
        partition: &Partition<'_>,
        rules: &Rules,
    ) -> Self {
        let sections = Sections::of(input.policies, partition);
        let mut known: HashMap<Vec<(usize, u32)>, u32> = HashMap::new();
        let mut buckets: HashMap<Vec<Segment>, MatrixEntry> = HashMap::new();
        let mut matrix = Vec::with_capacity(input.classes.len() * partition.atoms());
        for class in input.classes {
            for atom in 0..partition.atoms() {
                let key: Vec<(usize, u32)> = class
                    .iter()
                    .map(|&policy| (policy, sections.id(policy, atom)))
                    .collect();
                let word = known.entry(key).or_insert_with_key(|key| {
                    let list = DecisionList::of(input.policies, rules, &sections, key);
                    list.write(arena, &mut buckets).pack()
                });
                matrix.push(*word);
            }
        }
        Self {
            matrix,
            lists: buckets.len(),
        }
    }

    pub(super) fn usage(&self) -> ListUsage {
        ListUsage {
            cells: self.matrix.len(),
            lists: self.lists,
        }
    }
}

/// Sections of all policies, numbered.
struct Sections {
    /// For each policy and atom.
    ids: Vec<Vec<u32>>,
    sections: Vec<Section>,
}

impl Sections {
    fn of(policies: &[Policy], partition: &Partition<'_>) -> Self {
        let mut known: HashMap<Section, u32> = HashMap::new();
        let mut sections = Vec::new();
        let mut ids = Vec::new();
        for (policy, peers) in policies.iter().zip(&partition.predicates.of_rules) {
            let of_atoms = (0..partition.atoms()).map(|atom| {
                let section = section(policy, peers, |predicate| partition.holds(atom, predicate));
                *known.entry(section).or_insert_with_key(|section| {
                    sections.push(section.clone());
                    sections.len() as u32 - 1
                })
            });
            ids.push(of_atoms.collect());
        }
        Self { ids, sections }
    }

    fn id(&self, policy: usize, atom: usize) -> u32 {
        self.ids[policy][atom]
    }
}

fn section(policy: &Policy, peers: &[Vec<usize>], holds: impl Fn(usize) -> bool) -> Section {
    let mut section = Vec::new();
    for (index, (rule, peers)) in policy.rules.iter().zip(peers).enumerate() {
        if peers.is_empty() || peers.iter().any(|&predicate| holds(predicate)) {
            section.push(index);
            if rule.ports.is_empty() {
                return section;
            }
        }
    }
    section.push(policy.rules.len());
    section
}

/// A conditional entry.
struct Entry<'a> {
    /// Empty: no condition.
    ports: &'a [PortSpec],
    outcome: Outcome,
}

/// One section for each policy of a class.
struct DecisionList<'a>(Vec<Vec<Entry<'a>>>);

impl<'a> DecisionList<'a> {
    fn of(
        policies: &'a [Policy],
        rules: &Rules,
        sections: &Sections,
        key: &[(usize, u32)],
    ) -> Self {
        let section = |&(policy, id): &(usize, u32)| {
            let Policy {
                rules: of_policy,
                default,
                mode,
                ..
            } = &policies[policy];
            let audit = *mode == Mode::Audit;
            let entry = |&index: &usize| {
                let rule = of_policy.get(index);
                let deny = rule.map_or(*default, |rule| rule.action) == Action::Deny;
                let rule_id = rules.id(policy, index);
                Entry {
                    ports: rule.map_or(&[], |rule| &rule.ports),
                    outcome: Outcome {
                        deny,
                        audit: deny && audit,
                        rule: rule_id,
                    },
                }
            };
            sections.sections[id as usize].iter().map(entry).collect()
        };
        Self(key.iter().map(section).collect())
    }

    /// Runs of protocols and ports with one outcome.
    fn segments(&self) -> Vec<Segment> {
        let conditions = self.0.iter().flatten().flat_map(|entry| entry.ports);
        let mut keys: Vec<u32> = [0]
            .into_iter()
            .chain(conditions.flat_map(turning_points))
            .collect();
        keys.sort_unstable();
        keys.dedup();
        let mut segments: Vec<Segment> = Vec::new();
        for key in keys.into_iter().filter(|&key| key < Segment::KEYS) {
            let outcome = self.outcome(key);
            if segments.last().is_none_or(|last| last.outcome != outcome) {
                segments.push(Segment { key, outcome });
            }
        }
        segments
    }

    /// First match in each section; every policy must allow.
    fn outcome(&self, key: u32) -> Outcome {
        let mut agreed: Option<Outcome> = None;
        for section in &self.0 {
            // The last entry has no condition, so one matches.
            let Some(entry) = section.iter().find(|entry| entry.matches(key)) else {
                continue;
            };
            let Outcome { deny, audit, rule } = entry.outcome;
            if deny && !audit {
                return entry.outcome;
            }
            let would_deny = Outcome {
                deny: false,
                audit,
                rule,
            };
            match agreed {
                None => agreed = Some(would_deny),
                Some(before) if audit && !before.audit => agreed = Some(would_deny),
                Some(_) => {}
            }
        }
        // A class without policies permits nothing.
        agreed.unwrap_or(Outcome {
            deny: true,
            audit: false,
            rule: super::RuleId::NONE,
        })
    }

    fn write(
        &self,
        arena: &mut Arena,
        buckets: &mut HashMap<Vec<Segment>, MatrixEntry>,
    ) -> MatrixEntry {
        let segments = self.segments();
        if let [only] = segments[..] {
            return MatrixEntry::Outcome(only.outcome);
        }
        *buckets.entry(segments).or_insert_with_key(|segments| {
            let mut doubles: Vec<u64> = segments.iter().map(|segment| segment.pack()).collect();
            let steps = pad(&mut doubles);
            let place = arena.put(&words_of(doubles));
            MatrixEntry::List {
                page: place.page,
                offset: place.word / 2,
                steps,
            }
        })
    }
}

impl Entry<'_> {
    fn matches(&self, key: u32) -> bool {
        let (proto, slot) = (Proto((key >> 17) as u8), key & 0x1_ffff);
        self.ports.is_empty()
            || self.ports.iter().any(|spec| {
                spec.proto == proto
                    && match (spec.ports, u16::try_from(slot)) {
                        (None, _) => true,
                        (Some((low, high)), Ok(port)) => low.0 <= port && port <= high.0,
                        // The packet does not carry its port: a rule that denies one holds, a rule
                        // that allows one does not.
                        (Some(_), Err(_)) => self.outcome.deny,
                    }
            })
    }
}

/// Keys at which a condition begins or ceases to match.
pub(super) fn turning_points(spec: &PortSpec) -> [u32; 4] {
    let none = Segment::key(spec.proto, Ports::ABSENT);
    let next_proto = Segment::key(spec.proto, Ports::is(enforcer_common::abi::Port(0))) + (1 << 17);
    let (first, after) = match spec.ports {
        None => (
            Segment::key(spec.proto, Ports::is(enforcer_common::abi::Port(0))),
            next_proto,
        ),
        Some((low, high)) => (
            Segment::key(spec.proto, Ports::is(low)),
            Segment::key(spec.proto, Ports::is(high)) + 1,
        ),
    };
    [first, after, none, next_proto]
}
