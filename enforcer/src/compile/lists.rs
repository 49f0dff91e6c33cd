//! What each class says of each atom: decision lists, flattened over protocols and ports.

use std::collections::HashMap;

use enforcer_common::abi::{MatrixEntry, NameMask, Outcome, Port, Ports, Proto, Says, Segment};

use super::{
    CompileError, Input,
    chains::{Chains, Step, TooLong},
    names::ConditionBits,
    pages::{Arena, pad, words_of},
    partition::Partition,
    provenance::Rules,
    resolve::{EffectivePolicy, EffectiveRule},
};
use crate::policy::{Action, PortSpec};

/// The rules of one policy that concern an atom, in order, up to the first without a condition, each
/// with its conditions on names: any of them suffices, and none is no condition. The policy's default
/// is the rule after its last.
type Section = Vec<(usize, Vec<usize>)>;

/// The matrix, row by class.
pub(super) struct ClassLists {
    pub(super) matrix: Vec<u32>,
    lists: usize,
    chains: usize,
}

/// What an image's decision part consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListUsage {
    /// Cells of the matrix.
    pub cells: usize,
    /// Distinct lists that depend on protocol or port.
    pub lists: usize,
    /// Distinct tests of names.
    pub chains: usize,
}

impl ClassLists {
    pub(super) fn write(
        arena: &mut Arena,
        input: &Input<'_>,
        policies: &[EffectivePolicy<'_>],
        bits: &[ConditionBits],
        partition: &Partition<'_>,
        rules: &Rules,
    ) -> Result<Self, CompileError> {
        let sections = Sections::of(policies, partition);
        let mut known: HashMap<Vec<(usize, u32)>, u32> = HashMap::new();
        let mut writer = Writer::default();
        let mut matrix = Vec::with_capacity(input.classes.len() * partition.atoms());
        for (class, bits) in input.classes.iter().zip(bits) {
            for atom in 0..partition.atoms() {
                // Names all policies of the class, and so its bits too.
                let key: Vec<(usize, u32)> = class
                    .iter()
                    .map(|&policy| (policy, sections.id(policy, atom)))
                    .collect();
                if let Some(&word) = known.get(&key) {
                    matrix.push(word);
                    continue;
                }
                let list = DecisionList::of(policies, rules, &sections, &key, bits);
                let word = writer
                    .write(arena, &list)
                    .map_err(|TooLong { steps }| too_long(steps, policies, &sections, &key))?;
                known.insert(key, word.pack());
                matrix.push(word.pack());
            }
        }
        Ok(Self {
            matrix,
            lists: writer.buckets.len(),
            chains: writer.chains.len(),
        })
    }

    pub(super) fn usage(&self) -> ListUsage {
        ListUsage {
            cells: self.matrix.len(),
            lists: self.lists,
            chains: self.chains,
        }
    }
}

fn too_long(
    steps: u32,
    policies: &[EffectivePolicy<'_>],
    sections: &Sections,
    key: &[(usize, u32)],
) -> CompileError {
    let tests = |&&(_, id): &&(usize, u32)| sections.sections[id as usize].len();
    let largest = key.iter().max_by_key(tests);
    CompileError::ChainTooLong {
        steps,
        most: enforcer_common::abi::CHAIN_STEPS,
        largest: largest.map_or_else(String::new, |&(policy, id)| {
            let policy = policies[policy].policy;
            let rules = sections.sections[id as usize].len() - 1;
            format!(
                "policy `{}` ({}) with {rules} rules",
                policy.name, policy.at
            )
        }),
    }
}

/// Sections of all policies, numbered.
struct Sections {
    /// For each policy and atom.
    ids: Vec<Vec<u32>>,
    sections: Vec<Section>,
}

impl Sections {
    fn of(policies: &[EffectivePolicy<'_>], partition: &Partition<'_>) -> Self {
        let mut known: HashMap<Section, u32> = HashMap::new();
        let mut sections = Vec::new();
        let mut ids = Vec::new();
        for policy in policies {
            let of_atoms = (0..partition.atoms()).map(|atom| {
                let section = section(policy, |predicate| partition.holds(atom, predicate));
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

fn section(policy: &EffectivePolicy<'_>, holds: impl Fn(usize) -> bool) -> Section {
    let mut section = Vec::new();
    for (index, rule) in policy.rules.iter().enumerate() {
        let Some(names) = names_asked(rule, &holds) else {
            continue;
        };
        let unconditional = names.is_empty() && rule.ports.is_empty();
        section.push((index, names));
        if unconditional {
            return section;
        }
    }
    section.push((policy.rules.len(), Vec::new()));
    section
}

/// The conditions on names under which a rule matches an atom: any of them, or none at all. `None`
/// when it does not match.
fn names_asked(rule: &EffectiveRule<'_>, holds: impl Fn(usize) -> bool) -> Option<Vec<usize>> {
    let Some(peers) = &rule.peers else {
        return Some(Vec::new());
    };
    let mut asked = Vec::new();
    for peer in peers {
        if !peer.predicates.iter().all(|&predicate| holds(predicate)) {
            continue;
        }
        match peer.name {
            None => return Some(Vec::new()),
            Some(name) => asked.push(name),
        }
    }
    asked.sort_unstable();
    asked.dedup();
    (!asked.is_empty()).then_some(asked)
}

/// A conditional entry.
struct Entry<'a> {
    /// Empty: no condition.
    ports: &'a [PortSpec],
    step: Step,
}

/// One section for each policy of a class.
struct DecisionList<'a>(Vec<Vec<Entry<'a>>>);

impl<'a> DecisionList<'a> {
    fn of(
        policies: &'a [EffectivePolicy<'_>],
        rules: &Rules,
        sections: &Sections,
        key: &[(usize, u32)],
        bits: &ConditionBits,
    ) -> Self {
        let section = |&(number, id): &(usize, u32)| {
            let policy = &policies[number];
            let entry = |(index, names): &(usize, Vec<usize>)| {
                let rule = policy.rules.get(*index);
                let action = rule.map_or(policy.policy.default, |rule| rule.action);
                let deny = action == Action::Deny;
                let masks = names.iter().map(|&name| bits.mask(name));
                Entry {
                    ports: rule.map_or(&[], |rule| rule.ports),
                    step: Step {
                        any: masks.reduce(|any, mask| any | mask),
                        outcome: Outcome {
                            deny,
                            audit: deny && policy.is_audit(),
                            rule: rules.id(number, *index),
                        },
                    },
                }
            };
            sections.sections[id as usize].iter().map(entry).collect()
        };
        Self(key.iter().map(section).collect())
    }

    /// Protocols and ports from which on other entries match.
    fn keys(&self) -> Vec<u32> {
        let conditions = self.0.iter().flatten().flat_map(|entry| entry.ports);
        let mut keys: Vec<u32> = [0]
            .into_iter()
            .chain(conditions.flat_map(turning_points))
            .filter(|&key| key < Segment::KEYS)
            .collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// What matches a protocol and port, up to the first entry that does not depend on names.
    fn steps(&self, key: u32) -> Vec<Vec<Step>> {
        let steps = |section: &Vec<Entry<'_>>| {
            let mut steps = Vec::new();
            // What an earlier step asked does not hold when a later one is met.
            let mut asked = NameMask::NONE;
            for entry in section.iter().filter(|entry| entry.matches(key)) {
                let Some(any) = entry.step.any else {
                    steps.push(entry.step);
                    break;
                };
                let any = NameMask(any.0 & !asked.0);
                asked = asked | any;
                if any != NameMask::NONE {
                    steps.push(Step {
                        any: Some(any),
                        ..entry.step
                    });
                }
            }
            steps
        };
        self.0.iter().map(steps).collect()
    }
}

/// Puts lists into the arena, each once.
#[derive(Default)]
struct Writer {
    buckets: HashMap<Vec<Segment>, MatrixEntry>,
    chains: Chains,
}

impl Writer {
    fn write(
        &mut self,
        arena: &mut Arena,
        list: &DecisionList<'_>,
    ) -> Result<MatrixEntry, TooLong> {
        let mut segments: Vec<Segment> = Vec::new();
        for key in list.keys() {
            let says = self.chains.says(arena, &list.steps(key))?;
            if segments.last().is_none_or(|last| last.says != says) {
                segments.push(Segment { key, says });
            }
        }
        if let [only] = segments[..] {
            return Ok(match only.says {
                Says::Outcome(outcome) => MatrixEntry::Outcome(outcome),
                Says::Chain(chain) => MatrixEntry::Chain(chain),
            });
        }
        Ok(
            *self.buckets.entry(segments).or_insert_with_key(|segments| {
                let mut doubles: Vec<u64> = segments.iter().map(|segment| segment.pack()).collect();
                let steps = pad(&mut doubles);
                let place = arena.put(&words_of(doubles));
                MatrixEntry::List {
                    page: place.page,
                    offset: place.word / 2,
                    steps,
                }
            }),
        )
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
                        (Some(_), Err(_)) => self.step.outcome.deny,
                    }
            })
    }
}

/// Keys at which a condition begins or ceases to match.
pub(super) fn turning_points(spec: &PortSpec) -> [u32; 4] {
    let none = Segment::key(spec.proto, Ports::ABSENT);
    let next_proto = Segment::key(spec.proto, Ports::is(Port(0))) + (1 << 17);
    let (first, after) = match spec.ports {
        None => (Segment::key(spec.proto, Ports::is(Port(0))), next_proto),
        Some((low, high)) => (
            Segment::key(spec.proto, Ports::is(low)),
            Segment::key(spec.proto, Ports::is(high)) + 1,
        ),
    };
    [first, after, none, next_proto]
}
