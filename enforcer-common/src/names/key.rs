use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{
    opaque::{forget, opaque},
    sip::Sip,
};

/// Most labels of a wildcard's suffix.
pub const MAX_SUFFIX_LABELS: usize = 8;

/// Most bytes of a name on the wire: length octets and the final zero included (RFC 1035, 2.3.4).
pub const MAX_NAME_BYTES: u16 = 255;

/// Most bytes of a label (RFC 1035, 2.3.4).
const MAX_LABEL_BYTES: usize = 63;

/// What keeps a label, a whole name and a suffix with the same words apart.
mod domain {
    pub(super) const LABEL: u64 = 1;
    pub(super) const WHOLE: u64 = 2;
    pub(super) const SUFFIX: u64 = 3;
    pub(super) const QUESTION: u64 = 4;
}

/// The secret of one instance's name hashes: 128 bits.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Seed(pub [u64; 2]);

impl core::fmt::Debug for Seed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Seed(secret)")
    }
}

/// Hashes of a name, of ASCII letters in lower case: of the whole, and of each suffix that a
/// wildcard can have.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct NameKey {
    /// Hash of all labels.
    pub whole: u64,
    /// `suffixes[k - 1]` is the hash of the last `k` labels; 0 where the name has fewer.
    pub suffixes: [u64; MAX_SUFFIX_LABELS],
    /// Number of labels, the root not counted; at most 127.
    pub labels: u8,
    /// Always zero.
    reserved: [u8; 7],
}

const _: () = assert!(size_of::<NameKey>() == 80);

impl NameKey {
    /// The key of a name as people write it, with or without the final dot. `None` when it cannot be
    /// a name on the wire: empty, a label that is empty or longer than 63 bytes, 255 bytes or more
    /// in all. Escapes are not known, and other than ASCII letters keep their case: give names in
    /// their ASCII form.
    #[must_use]
    pub fn of_text(text: &str, seed: &Seed) -> Option<Self> {
        let text = text.strip_suffix('.').unwrap_or(text);
        // Each dot stands for a length octet; the first length octet and the root are not seen.
        if text.len() + 2 > usize::from(MAX_NAME_BYTES) {
            return None;
        }
        let mut builder = NameKeyBuilder::new(seed);
        for label in text.split('.') {
            if label.is_empty() || label.len() > MAX_LABEL_BYTES {
                return None;
            }
            builder.boundary(seed);
            for &byte in label.as_bytes() {
                builder.byte(byte);
            }
        }
        builder.boundary(seed);
        Some(builder.finish(seed))
    }

    /// Hash of the last `labels` labels, where a wildcard `*.SUFFIX` of that many matches the name:
    /// there is at least one label more.
    #[inline(always)]
    #[must_use]
    pub fn below(&self, labels: usize) -> Option<u64> {
        if labels == 0 || labels >= usize::from(self.labels) {
            return None;
        }
        self.suffixes.get(labels - 1).copied()
    }
}

/// Takes a name, byte by byte in wire order.
///
/// It has no length of its own to check: who reads a message bounds labels and names.
pub trait NameHasher {
    /// A label begins, or the name ends.
    fn boundary(&mut self, seed: &Seed);

    /// The next byte of the label.
    fn byte(&mut self, byte: u8);
}

/// Makes [`NameKey::whole`].
#[derive(Clone, Copy)]
pub struct WholeHasher(Sip);

impl WholeHasher {
    /// No labels yet.
    #[inline(always)]
    #[must_use]
    pub fn new(seed: &Seed) -> Self {
        Self(Sip::new(seed.0, domain::WHOLE))
    }

    /// The hash of a name that has ended.
    #[inline(always)]
    #[must_use]
    pub fn finish(&self) -> u64 {
        self.0.finish()
    }
}

impl NameHasher for WholeHasher {
    #[inline(always)]
    fn boundary(&mut self, _seed: &Seed) {
        /// No byte has this value.
        const BOUNDARY: u64 = 0x100;
        self.0.absorb(BOUNDARY);
    }

    #[inline(always)]
    fn byte(&mut self, byte: u8) {
        self.0.absorb(lower(byte));
    }
}

/// Makes a [`NameKey`].
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NameKeyBuilder {
    label: Sip,
    whole: WholeHasher,
    recent: [u64; MAX_SUFFIX_LABELS],
    /// One less than the number of boundaries.
    labels: u64,
}

impl NameKeyBuilder {
    /// No labels yet.
    #[inline(always)]
    #[must_use]
    pub fn new(seed: &Seed) -> Self {
        Self {
            label: Sip::new(seed.0, domain::LABEL),
            whole: WholeHasher::new(seed),
            recent: [0; MAX_SUFFIX_LABELS],
            labels: u64::MAX,
        }
    }

    /// The key of a name that has ended.
    #[inline(always)]
    #[must_use]
    pub fn finish(&self, seed: &Seed) -> NameKey {
        let mut key = NameKey::default();
        self.finish_into(seed, &mut key);
        key
    }

    /// The same, in place: the stack of a kernel program has no room for a key.
    #[inline(always)]
    pub fn finish_into(&self, seed: &Seed, key: &mut NameKey) {
        key.whole = self.whole.finish();
        key.labels = self.labels as u8;
        key.reserved = [0; 7];
        let mut suffix = 0;
        for (before, slot) in (1u64..).zip(&mut key.suffixes) {
            let label = self.recent[self.labels.wrapping_sub(before) as usize % MAX_SUFFIX_LABELS];
            suffix = pair(seed, domain::SUFFIX, suffix, label);
            *slot = if before <= self.labels { suffix } else { 0 };
        }
    }
}

impl NameHasher for NameKeyBuilder {
    /// What is before the first label is hashed as a label too, and then not counted: the verifier
    /// would walk both sides of a test at every byte.
    #[inline(always)]
    fn boundary(&mut self, seed: &Seed) {
        self.whole.boundary(seed);
        self.recent[self.labels as usize % MAX_SUFFIX_LABELS] = self.label.finish();
        self.labels = forget(self.labels.wrapping_add(1), seed.0[0]);
        self.label = Sip::new(seed.0, domain::LABEL);
    }

    #[inline(always)]
    fn byte(&mut self, byte: u8) {
        self.label.absorb(lower(byte));
        self.whole.byte(byte);
    }
}

/// Hash of a question: the hash of its whole name, and its type.
#[inline(always)]
#[must_use]
pub fn question_hash(seed: &Seed, whole: u64, kind: u16) -> u64 {
    pair(seed, domain::QUESTION, whole, u64::from(kind))
}

/// RFC 4343: names compare without regard to the case of ASCII letters, and of no others. Without a
/// branch, for the verifier would walk both sides at every byte.
#[inline(always)]
fn lower(byte: u8) -> u64 {
    let byte = u64::from(byte);
    let letter = byte.wrapping_sub(u64::from(b'A')) & 0xff;
    let is_upper = opaque(letter.wrapping_sub(26) >> 63);
    byte | is_upper << 5
}

/// Hash of two words, in order.
#[inline(always)]
fn pair(seed: &Seed, domain: u64, left: u64, right: u64) -> u64 {
    let mut sip = Sip::new(seed.0, domain);
    sip.absorb(left);
    sip.absorb(right);
    sip.finish()
}

#[cfg(test)]
mod tests;
