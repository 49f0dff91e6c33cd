use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::sip::{Sip, pair};

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
            for &byte in label.as_bytes() {
                builder.byte(byte);
            }
            builder.end_label(seed);
        }
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

/// Makes a [`NameKey`] from bytes in wire order.
///
/// It has no length of its own to check: who reads a message bounds labels and names. There is little
/// to do at the end of a label, for the verifier walks that at every byte of the longest name.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NameKeyBuilder {
    label: Sip,
    whole: Sip,
    recent: [u64; MAX_SUFFIX_LABELS],
    labels: u64,
}

impl NameKeyBuilder {
    /// No labels yet.
    #[inline(always)]
    #[must_use]
    pub fn new(seed: &Seed) -> Self {
        Self {
            label: Sip::new(seed, domain::LABEL),
            whole: Sip::new(seed, domain::WHOLE),
            recent: [0; MAX_SUFFIX_LABELS],
            labels: 0,
        }
    }

    /// The next byte of the current label.
    #[inline(always)]
    pub fn byte(&mut self, byte: u8) {
        let byte = u64::from(lower(byte));
        self.label.absorb(byte);
        self.whole.absorb(byte);
    }

    /// The current label is complete.
    #[inline(always)]
    pub fn end_label(&mut self, seed: &Seed) {
        /// No byte has this value.
        const BOUNDARY: u64 = 0x100;
        self.whole.absorb(BOUNDARY);
        self.recent[self.labels as usize % MAX_SUFFIX_LABELS] = self.label.finish();
        self.labels = self.labels.wrapping_add(1);
        self.label = Sip::new(seed, domain::LABEL);
    }

    /// [`NameKey::whole`] of the labels so far.
    #[inline(always)]
    #[must_use]
    pub fn whole(&self) -> u64 {
        self.whole.finish()
    }

    /// The key of the labels so far.
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
        key.whole = self.whole();
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

/// Hash of a question: the hash of its whole name, and its type.
#[inline(always)]
#[must_use]
pub fn question_hash(seed: &Seed, whole: u64, kind: u16) -> u64 {
    pair(seed, domain::QUESTION, whole, u64::from(kind))
}

/// RFC 4343: names compare without regard to the case of ASCII letters, and of no others.
#[inline(always)]
fn lower(byte: u8) -> u8 {
    let is_upper = byte.wrapping_sub(b'A') < 26;
    byte | (is_upper as u8) << 5
}

#[cfg(test)]
mod tests;
