//! What an index holds.

use crate::abi::ids::Atom;

/// Most entries of a bucket of double words: two cache lines. More become an inner node.
pub const BUCKET_ENTRIES: u8 = 16;
/// The same of a bucket of words: four cache lines.
pub const SHORT_ENTRIES: u8 = 64;

/// A word of an index: what is known of the addresses under it.
///
/// ```text
/// leaf    atom:16 | unused:13 | 0 | 00
/// bucket  page:8 | offset:16 | steps:5 | 0 | 01     offset in double words
/// inner   page:8 | offset:16 | unused:5 | 0 | 10    offset in words, of 256 words
/// short   page:8 | offset:16 | steps:5 | 0 | 11     offset in words
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// One atom.
    Leaf(Atom),
    /// A sorted bucket of `1 << steps` entries, at most [`BUCKET_ENTRIES`].
    Bucket {
        /// Page number.
        page: u8,
        /// First entry, in double words.
        offset: u16,
        /// Binary logarithm of the number of entries.
        steps: u8,
    },
    /// A sorted bucket of `1 << steps` words, at most [`SHORT_ENTRIES`].
    Short {
        /// Page number.
        page: u8,
        /// First entry, in words.
        offset: u16,
        /// Binary logarithm of the number of entries.
        steps: u8,
    },
    /// 256 nodes for the next 8 bits.
    Inner {
        /// Page number.
        page: u8,
        /// First word.
        offset: u16,
    },
    /// No version of this program wrote this.
    Bad,
}

impl Node {
    /// Packs it into a word.
    #[must_use]
    pub fn pack(self) -> u32 {
        let place = |page: u8, offset: u16| u32::from(page) << 24 | u32::from(offset) << 8;
        match self {
            Self::Leaf(atom) => u32::from(atom.0) << 16,
            Self::Bucket {
                page,
                offset,
                steps,
            } => place(page, offset) | u32::from(steps) << 3 | 1,
            Self::Inner { page, offset } => place(page, offset) | 2,
            Self::Short {
                page,
                offset,
                steps,
            } => place(page, offset) | u32::from(steps) << 3 | 3,
            Self::Bad => 4,
        }
    }

    /// Reads a word.
    #[inline(always)]
    #[must_use]
    pub fn unpack(word: u32) -> Self {
        let page = (word >> 24) as u8;
        let offset = (word >> 8) as u16;
        let steps = (word >> 3) as u8 & 31;
        match word & 7 {
            0 => Self::Leaf(Atom((word >> 16) as u16)),
            1 => Self::Bucket {
                page,
                offset,
                steps,
            },
            2 => Self::Inner { page, offset },
            3 => Self::Short {
                page,
                offset,
                steps,
            },
            _ => Self::Bad,
        }
    }
}
