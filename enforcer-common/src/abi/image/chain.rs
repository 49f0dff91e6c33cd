//! Chains: what depends on the names of an address.

use super::Outcome;
use crate::abi::ids::NameMask;

/// Most nodes that a walk along a chain meets.
pub const CHAIN_STEPS: u32 = 128;

/// Where a chain goes on, in a word.
///
/// ```text
/// 0 | page:8 | offset:16 | unused:5 | 01    offset in double words
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Chain {
    /// Page number.
    pub page: u8,
    /// First double word of a [`ChainNode`].
    pub offset: u16,
}

impl Chain {
    const KIND: u32 = 1;

    /// Packs it into a word.
    #[must_use]
    pub fn pack(self) -> u32 {
        u32::from(self.page) << 23 | u32::from(self.offset) << 7 | Self::KIND
    }

    /// Reads a word that is not an [`Outcome`]; `None` when it is not a chain either.
    #[inline(always)]
    #[must_use]
    pub fn unpack(word: u32) -> Option<Self> {
        Self::is_chain(word).then_some(Self::place(word))
    }

    /// Whether a word that is not an [`Outcome`] is a chain.
    #[inline(always)]
    #[must_use]
    pub fn is_chain(word: u32) -> bool {
        word & 3 == Self::KIND
    }

    /// Reads a word that is a chain.
    #[inline(always)]
    #[must_use]
    pub fn place(word: u32) -> Self {
        Self {
            page: (word >> 23) as u8,
            offset: (word >> 7) as u16,
        }
    }
}

/// An answer: final, or one that depends on names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Says {
    /// This.
    Outcome(Outcome),
    /// Look there.
    Chain(Chain),
}

impl Says {
    /// Packs it into a word; the highest bit tells an outcome.
    #[must_use]
    pub fn pack(self) -> u32 {
        match self {
            Self::Outcome(outcome) => outcome.pack(),
            Self::Chain(chain) => chain.pack(),
        }
    }
}

/// Two double words: a mask, and the words of both ways on.
///
/// ```text
/// mask:64
/// if any of them holds:32 | otherwise:32
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChainNode {
    /// Conditions on names.
    pub any: NameMask,
    /// What is said where one of them holds.
    pub then: Says,
    /// What is said where none does.
    pub otherwise: Says,
}

impl ChainNode {
    /// Packs it into two double words.
    #[must_use]
    pub fn pack(self) -> [u64; 2] {
        let ways = u64::from(self.then.pack()) << 32 | u64::from(self.otherwise.pack());
        [self.any.0, ways]
    }
}
