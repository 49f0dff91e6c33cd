//! SipHash-1-3 over words: the keyed hash of both sides.

/// SipHash-1-3 (Aumasson and Bernstein, 2012), fed a word at a time. A message has no length of its
/// own: who hashes messages of several lengths keeps them apart by `domain`.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct Sip([u64; 4]);

impl Sip {
    /// `domain` tells uses of one key apart: equal words hash differently in each.
    #[inline(always)]
    #[must_use]
    pub const fn new(key: [u64; 2], domain: u64) -> Self {
        let [k0, k1] = key;
        Self([
            k0 ^ 0x736f_6d65_7073_6575,
            k1 ^ 0x646f_7261_6e64_6f6d ^ domain,
            k0 ^ 0x6c79_6765_6e65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        ])
    }

    /// Takes the next word.
    #[inline(always)]
    pub fn absorb(&mut self, word: u64) {
        self.0[3] ^= word;
        self.round();
        self.0[0] ^= word;
    }

    /// The hash.
    #[inline(always)]
    #[must_use]
    pub fn finish(mut self) -> u64 {
        self.0[2] ^= 0xff;
        self.round();
        self.round();
        self.round();
        let [v0, v1, v2, v3] = self.0;
        v0 ^ v1 ^ v2 ^ v3
    }

    #[inline(always)]
    fn round(&mut self) {
        let [mut v0, mut v1, mut v2, mut v3] = self.0;
        v0 = v0.wrapping_add(v1);
        v1 = v1.rotate_left(13) ^ v0;
        v0 = v0.rotate_left(32);
        v2 = v2.wrapping_add(v3);
        v3 = v3.rotate_left(16) ^ v2;
        v0 = v0.wrapping_add(v3);
        v3 = v3.rotate_left(21) ^ v0;
        v2 = v2.wrapping_add(v1);
        v1 = v1.rotate_left(17) ^ v2;
        v2 = v2.rotate_left(32);
        self.0 = [v0, v1, v2, v3];
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use core::hash::Hasher;

    use super::Sip;

    #[test]
    fn agrees_with_the_standard_library() {
        for word in [0, 1, 0x0706_0504_0302_0100, u64::MAX] {
            let mut theirs = std::hash::DefaultHasher::new();
            theirs.write_u64(word);
            let mut ours = Sip::new([0, 0], 0);
            ours.absorb(word);
            // SipHash ends a message with its length in bytes.
            ours.absorb(8 << 56);
            assert_eq!(ours.finish(), theirs.finish());
        }
    }
}
