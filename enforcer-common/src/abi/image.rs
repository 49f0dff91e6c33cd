//! The image: the complete compiled answer, in pages.
//!
//! An image is an array of [`Page`]s behind one pointer. The kernel reads the pointer once per
//! decision, so a decision sees one image or the next, never a mix; publishing is one pointer
//! store. Pages instead of one large value: kernels before 6.x refuse array values over 4 MiB, and
//! an image takes the memory it needs rather than the memory it may need.
//!
//! Page 0 is the header: [`ImageHeader`] words, then the fences of the tail, then the classes.
//! Every other page belongs to one table:
//!
//! * **IPv4 index** and **IPv6 index**: one [`Node`] for each /16. A /16 that is one atom holds it in
//!   place. A crowded one points to an inner node of 256 [`Node`]s for the next 8 bits, and so on;
//!   others point to a bucket of `rest << 16 | atom`, sorted by `rest`, the bits not yet looked at,
//!   from the highest down. Where ranges start at the next 16 of them, as those of IPv4 always do,
//!   these are words, else double words (48 bits).
//! * **Tail**: [`TailEntry`]s sorted by address, for the /64s that hold more than one atom
//!   ([`Atom::SPLIT`]).
//! * **Matrix**: one [`MatrixEntry`] for each (class, atom), row by class.
//! * **Lists**: buckets of [`Segment`]s, sorted by protocol and port.
//! * **Socket tags**: one [`SocketTag`](super::SocketTag) for each class, in double words.
//! * **Chains**: [`ChainNode`]s, for what also depends on names.
//! * **Name index**: as the IPv6 index, over the hashes of names: [`NameSet`](super::NameSet)s in the
//!   place of atoms, each from a hash to the next number.
//! * **Name masks**: double words, a row of [`NameMask`](super::NameMask)s for each kind of class, one
//!   for each name set.
//! * **Resolvers**: addresses, two double words each, whose answers a class believes.
//!
//! A bucket has a power of two of entries (the last one repeated), starts with the least key, and lies
//! in one page, so a search is branch-free and touches one map value.

mod chain;
mod class;
mod node;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

pub use chain::{CHAIN_STEPS, Chain, ChainNode, Says};
pub use class::{ClassEntry, RESOLVER_SLOTS, Resolvers};
pub use node::{BUCKET_ENTRIES, Node, SHORT_ENTRIES};

use super::ids::{Atom, Ports, Proto, RuleId};

/// 32-bit words of a page: what 16 bits can address.
pub const PAGE_WORDS: usize = 1 << 16;
/// Bytes of a page: 256 KiB.
pub const PAGE_BYTES: usize = PAGE_WORDS * 4;

/// One element of an image. Indexed by 16 bits, so no index can be out of bounds.
#[repr(C, align(8))]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Page([u32; PAGE_WORDS]);

const _: () = assert!(size_of::<Page>() == PAGE_BYTES);

impl Page {
    /// The word at `index`.
    #[inline(always)]
    #[must_use]
    pub fn word(&self, index: u16) -> u32 {
        self.0[index as usize]
    }

    /// The double word at `index`, counted in double words; the highest bit of `index` is ignored.
    #[inline(always)]
    #[must_use]
    pub fn double(&self, index: u16) -> u64 {
        let at = (index << 1) as usize;
        let low = u64::from(self.0[at]);
        let high = u64::from(self.0[at | 1]);
        high << 32 | low
    }

    /// Sets the word at `index`.
    pub fn set_word(&mut self, index: u16, word: u32) {
        self.0[index as usize] = word;
    }

    /// Sets the words from `index` on. Panics when they do not fit.
    pub fn set_words(&mut self, index: u16, words: &[u32]) {
        let index = usize::from(index);
        self.0[index..index + words.len()].copy_from_slice(words);
    }

    /// Sets the double word at `index`, counted in double words.
    pub fn set_double(&mut self, index: u16, double: u64) {
        let at = (index << 1) as usize;
        self.0[at] = double as u32;
        self.0[at | 1] = (double >> 32) as u32;
    }
}

/// Words of page 0.
///
/// Offsets, not a struct: the kernel reads three or four of them and page 0 holds tables too.
pub struct ImageHeader;

impl ImageHeader {
    /// [`ABI_VERSION`](super::ABI_VERSION).
    pub const VERSION: u16 = 0;
    /// Pages of the image.
    pub const PAGES: u16 = 1;
    /// Generation, as a double word (index in double words: half of this).
    pub const GENERATION: u16 = 2;
    /// Page of the IPv4 index.
    pub const V4_INDEX: u16 = 4;
    /// Page of the IPv6 index.
    pub const V6_INDEX: u16 = 5;
    /// First page of the tail; its pages are consecutive. 0 when there is none.
    pub const TAIL: u16 = 6;
    /// First page of the matrix; its pages are consecutive.
    pub const MATRIX: u16 = 7;
    /// Number of atoms: the length of a matrix row.
    pub const ATOMS: u16 = 8;
    /// Number of classes.
    pub const CLASSES: u16 = 9;
    /// Number of tail pages.
    pub const TAIL_COUNT: u16 = 11;
    /// Number of NAT64 prefixes, at most [`Self::NAT64_SLOTS`].
    pub const NAT64_COUNT: u16 = 10;
    /// First page of the socket tags; its pages are consecutive. 0 when no class has any.
    pub const SOCKET_TAGS: u16 = 48;
    /// [`Seed`](crate::names::Seed) of the name hashes, as two double words (index in double words:
    /// half of this). The same in every image of an instance.
    pub const NAME_SEED: u16 = 12;
    /// First NAT64 prefix: six words each (hi, lo, len, zero).
    pub const NAT64: u16 = 16;
    /// Room for NAT64 prefixes.
    pub const NAT64_SLOTS: u16 = 4;
    /// Page of the name index; 0 when no policy has names.
    pub const NAME_INDEX: u16 = 40;
    /// First page of the name masks; its pages are consecutive.
    pub const NAME_MASKS: u16 = 41;
    /// Number of name sets: the length of a row of name masks.
    pub const NAME_SETS: u16 = 42;
    /// First [`ClassEntry`]: [`ClassEntry::WORDS`] each, close to the words above.
    pub const CLASS_TABLE: u16 = 64;
    /// First [`Fence`]: four words each, [`TAIL_PAGES`] of them.
    pub const FENCES: u16 = u16::MAX - TAIL_PAGES * 4 + 1;
}

const _: () = assert!(ImageHeader::NAT64 + ImageHeader::NAT64_SLOTS * 6 <= ImageHeader::NAME_INDEX);

/// Socket tags of a page: double words.
pub const SOCKET_TAGS_PER_PAGE: u16 = (PAGE_WORDS / 2) as u16;
/// Most pages the tail may have, and the number of fences (a power of two).
pub const TAIL_PAGES: u16 = 256;
/// Entries of a tail page: eight words each.
pub const TAIL_ENTRIES_PER_PAGE: u16 = 8192;
/// Most classes an image may have.
pub const CLASS_SLOTS: u16 = (ImageHeader::FENCES - ImageHeader::CLASS_TABLE) / ClassEntry::WORDS;

/// First address of a tail page, so that one search in page 0 finds the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fence {
    /// High 64 bits.
    pub hi: u64,
    /// Low 64 bits.
    pub lo: u64,
}

/// From this address on (to the next entry), inside a split /64, the atom is this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TailEntry {
    /// High 64 bits.
    pub hi: u64,
    /// Low 64 bits.
    pub lo: u64,
    /// The atom.
    pub atom: Atom,
}

/// A decision in a word.
///
/// ```text
/// 1 | deny:1 | audit:1 | unused:13 | rule:16
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Outcome {
    /// Deny, or allow.
    pub deny: bool,
    /// Allowed, but `rule` belongs to a policy in audit mode and would deny.
    pub audit: bool,
    /// The rule that decided.
    pub rule: RuleId,
}

impl Outcome {
    const MARK: u32 = 1 << 31;
    const DENY: u32 = 1 << 30;
    const AUDIT: u32 = 1 << 29;

    /// Packs it into a word.
    #[must_use]
    pub fn pack(self) -> u32 {
        let deny = if self.deny { Self::DENY } else { 0 };
        let audit = if self.audit { Self::AUDIT } else { 0 };
        Self::MARK | deny | audit | u32::from(self.rule.0)
    }

    /// Whether a word is an outcome.
    #[inline(always)]
    #[must_use]
    pub fn is_outcome(word: u32) -> bool {
        word & Self::MARK != 0
    }

    /// Whether a word is an outcome that allows.
    #[inline(always)]
    #[must_use]
    pub fn allows(word: u32) -> bool {
        word & (Self::MARK | Self::DENY) == Self::MARK
    }

    /// Whether a word is an outcome that allows, and no policy in audit mode would deny.
    #[inline(always)]
    #[must_use]
    pub fn allows_silently(word: u32) -> bool {
        word & (Self::MARK | Self::DENY | Self::AUDIT) == Self::MARK
    }

    /// Reads a word; `None` when it is not an outcome.
    #[inline(always)]
    #[must_use]
    pub fn unpack(word: u32) -> Option<Self> {
        if !Self::is_outcome(word) {
            return None;
        }
        Some(Self {
            deny: word & Self::DENY != 0,
            audit: word & Self::AUDIT != 0,
            rule: RuleId(word as u16),
        })
    }
}

/// What one class says of one atom.
///
/// ```text
/// outcome   as above
/// list      0 | page:8 | offset:16 | steps:5 | 00    offset in double words
/// chain     as in [`Says`]
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatrixEntry {
    /// Every flow gets the same decision.
    Outcome(Outcome),
    /// It depends on protocol and port: a bucket of `1 << steps` [`Segment`]s.
    List {
        /// Page number.
        page: u8,
        /// First segment, in double words.
        offset: u16,
        /// Binary logarithm of the number of segments, at most 15.
        steps: u8,
    },
    /// It depends on the names of the address alone.
    Chain(Chain),
}

impl MatrixEntry {
    /// Packs it into a word.
    #[must_use]
    pub fn pack(self) -> u32 {
        match self {
            Self::Outcome(outcome) => outcome.pack(),
            Self::List {
                page,
                offset,
                steps,
            } => u32::from(page) << 23 | u32::from(offset) << 7 | u32::from(steps) << 2,
            Self::Chain(chain) => chain.pack(),
        }
    }

    /// Reads a word.
    #[inline(always)]
    #[must_use]
    pub fn unpack(word: u32) -> Self {
        if let Some(outcome) = Outcome::unpack(word) {
            return Self::Outcome(outcome);
        }
        if let Some(chain) = Chain::unpack(word) {
            return Self::Chain(chain);
        }
        let (page, offset, steps) = Self::list_place(word);
        Self::List {
            page,
            offset,
            steps,
        }
    }

    /// Whether a word that is not an [`Outcome`] names a list. In plain numbers, for what another
    /// variant leaves undefined the verifier refuses.
    #[inline(always)]
    #[must_use]
    pub fn is_list(word: u32) -> bool {
        word & 3 == 0
    }

    /// Page, offset and steps of a [list](Self::List).
    #[inline(always)]
    #[must_use]
    pub fn list_place(word: u32) -> (u8, u16, u8) {
        (
            (word >> 23) as u8,
            (word >> 7) as u16,
            (word >> 2) as u8 & 31,
        )
    }
}

/// A run of protocols and ports with one answer, in a double word.
///
/// ```text
/// unused:7 | protocol:8 | no port:1 | port:16 | answer:32
/// ```
///
/// It holds from its key to the next segment's. A decision list (one section for each policy, the
/// first match of a section decides, every policy must allow) is flattened into segments when it is
/// compiled, so the kernel searches where it would have to walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Segment {
    /// [`Segment::key`] of its first protocol and port.
    pub key: u32,
    /// What it says.
    pub says: Says,
}

impl Segment {
    /// Keys are below this.
    pub const KEYS: u32 = 1 << 25;

    /// Orders flows by protocol, then by port; a flow whose port is absent or unknown comes after
    /// all ports of its protocol.
    #[inline(always)]
    #[must_use]
    pub fn key(proto: Proto, ports: Ports) -> u32 {
        u32::from(proto.0) << 17 | ports.slot()
    }

    /// Packs it into a double word.
    #[must_use]
    pub fn pack(self) -> u64 {
        u64::from(self.key) << 32 | u64::from(self.says.pack())
    }
}

#[cfg(test)]
mod tests;
