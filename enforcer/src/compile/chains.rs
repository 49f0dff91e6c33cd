//! Decision lists of one protocol and port to chains of tests of names.

use std::collections::HashMap;

use enforcer_common::abi::{CHAIN_STEPS, Chain, ChainNode, NameMask, Outcome, RuleId, Says};

use super::pages::{Arena, words_of};

/// An entry of a section whose protocol and port match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// It matches if any of these conditions holds; `None` has no condition.
    pub(super) any: Option<NameMask>,
    pub(super) outcome: Outcome,
}

/// Chains that stand in the arena.
#[derive(Default)]
pub(super) struct Chains {
    known: HashMap<ChainNode, Chain>,
    longest: u32,
}

/// A list whose chain no walk would come to the end of.
pub(super) struct TooLong {
    pub(super) steps: u32,
}

/// A list while its chain is made, from the last test to the first.
struct List<'a> {
    /// One for each policy; the last step of each has no condition.
    sections: &'a [Vec<Step>],
    arena: &'a mut Arena,
    chains: &'a mut Chains,
    /// What holds from a section on, when those before it agreed on this. With the most tests on
    /// the way.
    known: HashMap<(usize, Option<Outcome>), (Says, u32)>,
}

impl Chains {
    /// First match in each section; every policy must allow.
    pub(super) fn says(
        &mut self,
        arena: &mut Arena,
        sections: &[Vec<Step>],
    ) -> Result<Says, TooLong> {
        let mut list = List {
            sections,
            arena,
            chains: self,
            known: HashMap::new(),
        };
        let (says, steps) = list.rest(0, None);
        if steps > CHAIN_STEPS {
            return Err(TooLong { steps });
        }
        self.longest = self.longest.max(steps);
        Ok(says)
    }

    /// How many tests there are.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}

impl List<'_> {
    fn rest(&mut self, section: usize, agreed: Option<Outcome>) -> (Says, u32) {
        if let Some(&known) = self.known.get(&(section, agreed)) {
            return known;
        }
        let sections = self.sections;
        let Some(steps) = sections.get(section) else {
            // A class without policies permits nothing.
            let nobody = Outcome {
                deny: true,
                audit: false,
                rule: RuleId::NONE,
            };
            return (Says::Outcome(agreed.unwrap_or(nobody)), 0);
        };
        let mut so_far = None;
        for step in steps.iter().rev() {
            let then = self.after(section, agreed, step.outcome);
            so_far = Some(match (step.any, so_far) {
                (Some(any), Some(otherwise)) => self.test(any, then, otherwise),
                (_, _) => then,
            });
        }
        let result = so_far.unwrap_or_else(|| self.rest(section + 1, agreed));
        self.known.insert((section, agreed), result);
        result
    }

    /// What holds when a section says `outcome`: a denial ends it, anything else asks the next.
    fn after(&mut self, section: usize, agreed: Option<Outcome>, outcome: Outcome) -> (Says, u32) {
        let Outcome { deny, audit, rule } = outcome;
        if deny && !audit {
            return (Says::Outcome(outcome), 0);
        }
        let says = Outcome {
            deny: false,
            audit,
            rule,
        };
        let agreed = match agreed {
            Some(before) if before.audit || !audit => before,
            Some(_) | None => says,
        };
        self.rest(section + 1, Some(agreed))
    }

    fn test(&mut self, any: NameMask, then: (Says, u32), otherwise: (Says, u32)) -> (Says, u32) {
        if then.0 == otherwise.0 {
            return then;
        }
        let node = ChainNode {
            any,
            then: then.0,
            otherwise: otherwise.0,
        };
        let arena = &mut *self.arena;
        let chain = *self.chains.known.entry(node).or_insert_with_key(|node| {
            let place = arena.put(&words_of(node.pack()));
            Chain {
                page: place.page,
                offset: place.word / 2,
            }
        });
        (Says::Chain(chain), 1 + then.1.max(otherwise.1))
    }
}
