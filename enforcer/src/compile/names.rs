//! Names to what the policies ask of them: conditions, name sets, the name index, masks of classes.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
    iter,
};

use enforcer_common::{
    abi::{Atom, NameMask},
    names::{MAX_SUFFIX_LABELS, NameKey, Seed},
};

use super::{CompileError, flat::Flat, resolve::EffectivePolicy};
use crate::policy::NamePattern;

/// Every list of names that a peer has, and every combination of lists that must hold at once.
#[derive(Default)]
pub(super) struct Conditions<'a> {
    lists: Vec<Cow<'a, [NamePattern]>>,
    known_lists: HashMap<Cow<'a, [NamePattern]>, usize>,
    /// For each condition: its lists. One name must be in all of them.
    all_of: Vec<Vec<usize>>,
    known: HashMap<Vec<usize>, usize>,
}

impl<'a> Conditions<'a> {
    /// The number of a list that a file has.
    pub(super) fn list(&mut self, list: &'a [NamePattern]) -> usize {
        self.intern(Cow::Borrowed(list))
    }

    /// The number of a list that was put together.
    pub(super) fn list_of(&mut self, list: Vec<NamePattern>) -> usize {
        self.intern(Cow::Owned(list))
    }

    fn intern(&mut self, list: Cow<'a, [NamePattern]>) -> usize {
        let lists = &mut self.lists;
        *self.known_lists.entry(list).or_insert_with_key(|list| {
            lists.push(list.clone());
            lists.len() - 1
        })
    }

    /// The number of the condition that a name is in all of these lists.
    pub(super) fn all_of(&mut self, lists: impl IntoIterator<Item = usize>) -> usize {
        let mut lists: Vec<usize> = lists.into_iter().collect();
        lists.sort_unstable();
        lists.dedup();
        let all_of = &mut self.all_of;
        *self.known.entry(lists).or_insert_with_key(|lists| {
            all_of.push(lists.clone());
            all_of.len() - 1
        })
    }
}

/// What an image's names consist of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NameUsage {
    /// Distinct patterns of all policies.
    pub patterns: usize,
    /// Distinct answers to which conditions a name meets.
    pub sets: usize,
}

/// The patterns of all policies by their hashes: what of names can be told to people.
#[derive(Clone, Debug, Default)]
pub struct PatternTexts(HashMap<u64, NamePattern>);

impl PatternTexts {
    /// Those, as an instance with this seed hashes them.
    #[must_use]
    pub fn of(patterns: impl IntoIterator<Item = NamePattern>, seed: &Seed) -> Self {
        let hashed = patterns
            .into_iter()
            .filter_map(|pattern| Some((hash(&pattern, seed)?, pattern)));
        Self(hashed.collect())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The narrowest pattern that matches a name. `None` when no policy has one.
    #[must_use]
    pub fn narrowest(&self, name: &NameKey) -> Option<&NamePattern> {
        let suffixes = (1..=MAX_SUFFIX_LABELS).rev();
        let suffixes = suffixes.filter_map(|labels| name.below(labels));
        let mut hashes = iter::once(name.whole).chain(suffixes);
        hashes.find_map(|hash| self.0.get(&hash))
    }
}

/// Every name to its set.
pub(super) struct NameSets {
    /// Hashes at which another set begins, from 0 on; sets in the place of atoms.
    pub(super) index: Flat<u64, Atom>,
    /// For each set: the conditions that hold, ascending. Set 0 has none.
    sets: Vec<Vec<usize>>,
    texts: PatternTexts,
}

impl NameSets {
    /// The last number is not an atom and so not a set.
    const MOST: usize = Atom::SPLIT.0 as usize;

    pub(super) fn of(conditions: &Conditions<'_>, seed: &Seed) -> Result<Self, CompileError> {
        let mut lists: HashMap<&NamePattern, Vec<usize>> = HashMap::new();
        for (number, list) in conditions.lists.iter().enumerate() {
            for pattern in list.iter() {
                lists.entry(pattern).or_default().push(number);
            }
        }
        let mut numbers = Numbers::default();
        let mut hashes: Vec<(u64, u16)> = Vec::with_capacity(lists.len());
        for pattern in lists.keys() {
            let of_name: BTreeSet<usize> = with_wider(pattern)
                .filter_map(|pattern| lists.get(&pattern))
                .flatten()
                .copied()
                .collect();
            let set = numbers.of(of_name, conditions);
            hashes.extend(hash(pattern, seed).map(|hash| (hash, set as u16)));
        }
        let sets = numbers.sets;
        if sets.len() > Self::MOST {
            let largest = conditions.lists.iter().max_by_key(|list| list.len());
            return Err(CompileError::TooManyNameSets {
                sets: sets.len(),
                most: Self::MOST,
                largest: largest.map_or(0, |list| list.len()),
            });
        }
        hashes.sort_unstable();
        Ok(Self {
            index: ranges(&hashes),
            sets,
            texts: PatternTexts::of(lists.into_keys().cloned(), seed),
        })
    }

    /// How many sets there are, the empty one included.
    pub(super) fn len(&self) -> usize {
        self.sets.len()
    }

    /// A mask for each set, in the words of a class.
    pub(super) fn masks(&self, bits: &ConditionBits) -> Vec<NameMask> {
        let any = |set: &Vec<usize>| {
            let masks = set.iter().map(|&condition| bits.mask(condition));
            masks.fold(NameMask::NONE, |any, one| any | one)
        };
        self.sets.iter().map(any).collect()
    }

    /// The patterns themselves.
    pub(super) fn into_texts(self) -> PatternTexts {
        self.texts
    }

    pub(super) fn usage(&self) -> NameUsage {
        NameUsage {
            patterns: self.texts.0.len(),
            sets: self.sets.len() - 1,
        }
    }
}

/// Sets of lists to numbers of sets of conditions.
struct Numbers {
    of_lists: HashMap<BTreeSet<usize>, usize>,
    of_conditions: HashMap<Vec<usize>, usize>,
    sets: Vec<Vec<usize>>,
}

impl Default for Numbers {
    fn default() -> Self {
        Self {
            of_lists: HashMap::new(),
            of_conditions: HashMap::from([(Vec::new(), 0)]),
            sets: vec![Vec::new()],
        }
    }
}

impl Numbers {
    fn of(&mut self, lists: BTreeSet<usize>, conditions: &Conditions<'_>) -> usize {
        let (of_conditions, sets) = (&mut self.of_conditions, &mut self.sets);
        *self.of_lists.entry(lists).or_insert_with_key(|lists| {
            let holds = |all_of: &Vec<usize>| all_of.iter().all(|list| lists.contains(list));
            let hold: Vec<usize> = (0..conditions.all_of.len())
                .filter(|&condition| holds(&conditions.all_of[condition]))
                .collect();
            *of_conditions.entry(hold).or_insert_with_key(|hold| {
                sets.push(hold.clone());
                sets.len() - 1
            })
        })
    }
}

/// A pattern and every pattern that matches what it matches.
fn with_wider(pattern: &NamePattern) -> impl Iterator<Item = NamePattern> {
    let (NamePattern::Exact(name) | NamePattern::Below(name)) = pattern;
    let after_dots = name.match_indices('.').map(|(dot, _)| &name[dot + 1..]);
    let wider = after_dots.map(|suffix| NamePattern::Below(suffix.into()));
    iter::once(pattern.clone()).chain(wider)
}

/// Where a name finds the pattern. `None` only of what is no name, which checking rules out.
fn hash(pattern: &NamePattern, seed: &Seed) -> Option<u64> {
    match pattern {
        NamePattern::Exact(name) => NameKey::of_text(name, seed).map(|key| key.whole),
        NamePattern::Below(suffix) => {
            let key = NameKey::of_text(suffix, seed)?;
            let last = usize::from(key.labels).checked_sub(1)?;
            key.suffixes.get(last).copied()
        }
    }
}

/// Each hash a range of its own. Hashes are of 64 bits under a secret: that two are equal does not
/// happen.
fn ranges(hashes: &[(u64, u16)]) -> Flat<u64, Atom> {
    let mut flat: Flat<u64, Atom> = vec![(0, Atom(0))];
    for &(hash, set) in hashes {
        if flat.last().is_some_and(|&(start, _)| start == hash) {
            flat.pop();
        }
        flat.push((hash, Atom(set)));
        if let Some(after) = hash.checked_add(1) {
            flat.push((after, Atom(0)));
        }
    }
    flat
}

/// How the policies of one class number the conditions that they have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ConditionBits(HashMap<usize, u32>);

impl ConditionBits {
    pub(super) fn of(policies: &[&EffectivePolicy<'_>]) -> Result<Self, CompileError> {
        let mut bits = HashMap::new();
        for policy in policies {
            for condition in policy.conditions() {
                let next = bits.len() as u32;
                bits.entry(condition).or_insert(next);
            }
        }
        let most = NameMask::CONDITIONS as usize;
        if bits.len() > most {
            let count = |policy: &&&EffectivePolicy<'_>| {
                policy.conditions().collect::<BTreeSet<usize>>().len()
            };
            let largest = policies.iter().max_by_key(count);
            return Err(CompileError::TooManyNameConditions {
                conditions: bits.len(),
                most,
                largest: largest.map_or_else(String::new, |policy| {
                    let (name, at) = (&policy.policy.name, &policy.policy.at);
                    format!("policy `{name}` ({at}) with {}", count(&policy))
                }),
            });
        }
        Ok(Self(bits))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bit of a condition; no bit when the class does not have it.
    pub(super) fn mask(&self, condition: usize) -> NameMask {
        NameMask(self.0.get(&condition).map_or(0, |bit| 1 << bit))
    }
}
