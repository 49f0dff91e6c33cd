//! What is the same for every flow of a class: whether replies are judged, what its names mean, whose
//! answers it believes.

use std::collections::{BTreeSet, HashMap};

use enforcer_common::abi::{Addr, ClassEntry, ClassId, NameMask, RESOLVER_SLOTS, Resolvers};

use super::{
    CompileError, Input,
    addresses::write_index,
    names::{ConditionBits, NameSets},
    pages::{Arena, Header, words_of},
    resolve::EffectivePolicy,
};
use crate::policy::Replies;

/// Entries of page 0, and the tables of names behind them.
pub(super) struct Classes {
    entries: Vec<ClassEntry>,
    /// The page of the name index, and rows of masks; `None` when no policy has names.
    names: Option<(u8, Vec<NameMask>)>,
}

/// For each class: how it numbers its conditions on names.
pub(super) fn condition_bits(
    input: &Input<'_>,
    policies: &[EffectivePolicy<'_>],
) -> Result<Vec<ConditionBits>, CompileError> {
    let bits = |class: &Vec<usize>| ConditionBits::of(&of_class(policies, class));
    input.classes.iter().map(bits).collect()
}

fn of_class<'p, 'a>(
    policies: &'p [EffectivePolicy<'a>],
    class: &[usize],
) -> Vec<&'p EffectivePolicy<'a>> {
    class.iter().map(|&policy| &policies[policy]).collect()
}

impl Classes {
    pub(super) fn write(
        arena: &mut Arena,
        input: &Input<'_>,
        policies: &[EffectivePolicy<'_>],
        names: &NameSets,
        bits: &[ConditionBits],
    ) -> Result<Self, CompileError> {
        let mut rows: HashMap<Vec<NameMask>, u32> = HashMap::new();
        let mut masks = Vec::new();
        let mut lists: HashMap<Vec<Addr>, Resolvers> = HashMap::new();
        let mut entries = Vec::new();
        for (class, bits) in input.classes.iter().zip(bits) {
            let policies = of_class(policies, class);
            let judge_replies = policies
                .iter()
                .any(|policy| policy.policy.replies == Replies::Judge);
            let mut entry = ClassEntry {
                judge_replies,
                names: !bits.is_empty(),
                resolvers: Resolvers::default(),
                mask_row: 0,
            };
            if entry.names {
                let next = rows.len() as u32;
                entry.mask_row = *rows.entry(names.masks(bits)).or_insert_with_key(|row| {
                    masks.extend_from_slice(row);
                    next
                });
                let believed = believed(&policies)?;
                entry.resolvers = *lists
                    .entry(believed)
                    .or_insert_with_key(|believed| write_resolvers(arena, believed));
            }
            entries.push(entry);
        }
        let names = (!masks.is_empty()).then(|| (write_index(arena, &names.index), masks));
        Ok(Self { entries, names })
    }

    pub(super) fn append(&self, header: &mut Header, names: &NameSets) {
        for (number, &entry) in self.entries.iter().enumerate() {
            header.set_class(ClassId(number as u16), entry);
        }
        if let Some((index, masks)) = &self.names {
            header.append_names(*index, names.len(), masks);
        }
    }
}

/// Resolvers that every policy with names approves: as with everything, the most restrictive wins.
fn believed(policies: &[&EffectivePolicy<'_>]) -> Result<Vec<Addr>, CompileError> {
    let mut believed: Option<BTreeSet<Addr>> = None;
    for policy in policies {
        if policy.conditions().next().is_none() {
            continue;
        }
        let most = usize::from(RESOLVER_SLOTS);
        if policy.resolvers.len() > most {
            return Err(CompileError::TooManyResolvers {
                policy: policy.policy.name.to_string(),
                resolvers: policy.resolvers.len(),
                most,
            });
        }
        let approved = policy.resolvers.iter().map(|network| network.network());
        let approved: BTreeSet<Addr> = approved.collect();
        believed = Some(match believed {
            Some(before) => before.intersection(&approved).copied().collect(),
            None => approved,
        });
    }
    Ok(believed.unwrap_or_default().into_iter().collect())
}

fn write_resolvers(arena: &mut Arena, believed: &[Addr]) -> Resolvers {
    let halves = believed.iter().flat_map(|address| {
        let (hi, lo) = address.halves();
        [hi, lo]
    });
    let mut words = words_of(halves);
    words.resize(words.len().next_power_of_two(), 0);
    let place = arena.put(&words);
    Resolvers {
        page: place.page,
        offset: place.word / 2,
        count: believed.len() as u8,
    }
}
