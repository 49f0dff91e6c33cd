//! Classes: which sets of policies there are, numbered for good.

use std::collections::HashMap;

use enforcer_common::abi::ClassId;

use crate::policy::{Policy, PolicyName};

/// Sets of policies with their numbers. A number once given keeps its set, so that tags in the
/// kernel stay true from image to image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Classes {
    sets: Vec<Vec<PolicyName>>,
    known: HashMap<Vec<PolicyName>, ClassId>,
}

impl Classes {
    /// Classes as they were numbered before.
    #[must_use]
    pub fn restore(sets: Vec<Vec<PolicyName>>) -> Self {
        let numbered = sets
            .iter()
            .cloned()
            .zip(0..)
            .map(|(set, id)| (set, ClassId(id)));
        Self {
            known: numbered.collect(),
            sets,
        }
    }

    /// The class of a set, sorted by name. A new set gets the next number.
    pub fn of(&mut self, set: Vec<PolicyName>) -> ClassId {
        let next = ClassId(self.sets.len() as u16);
        let Self { sets, known } = self;
        *known.entry(set).or_insert_with_key(|set| {
            sets.push(set.clone());
            next
        })
    }

    /// Whether a set, sorted by name, has a number.
    #[must_use]
    pub fn has(&self, set: &[PolicyName]) -> bool {
        self.known.contains_key(set)
    }

    /// The policies of a class.
    #[must_use]
    pub fn policies(&self, class: ClassId) -> &[PolicyName] {
        self.sets
            .get(usize::from(class.0))
            .map_or(&[], Vec::as_slice)
    }

    /// All sets, by number.
    #[must_use]
    pub fn sets(&self) -> &[Vec<PolicyName>] {
        &self.sets
    }

    /// For each class: indices into `policies`. A policy that is not loaded any more is left out.
    #[must_use]
    pub fn members(&self, policies: &[Policy]) -> Vec<Vec<usize>> {
        let index = |name: &PolicyName| policies.iter().position(|policy| policy.name == *name);
        self.sets
            .iter()
            .map(|set| set.iter().filter_map(index).collect())
            .collect()
    }
}
