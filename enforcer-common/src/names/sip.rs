use super::Seed;

/// SipHash-1-3 (Aumasson and Bernstein, 2012) over a sequence of words.
///
/// Bytes are absorbed as a word each: names are short, and a loop without a partial word has no
/// branch for the verifier to follow.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(super) struct Sip([u64; 4]);

impl Sip {
    /// `domain` tells uses apart: equal words hash differently in each.
    #[inline(always)]
    pub(super) fn new(seed: &Seed, domain: u64) -> Self {
        let [k0, k1] = seed.0;
        Self([
            k0 ^ 0x736f_6d65_7073_6575,
            k1 ^ 0x646f_7261_6e64_6f6d ^ domain,
            k0 ^ 0x6c79_6765_6e65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        ])
    }

    #[inline(always)]
    pub(super) fn absorb(&mut self, word: u64) {
        self.0[3] ^= word;
        self.round();
        self.0[0] ^= word;
    }

    #[inline(always)]
    pub(super) fn finish(mut self) -> u64 {
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

/// Hash of two words, in order.
#[inline(always)]
pub(super) fn pair(seed: &Seed, domain: u64, left: u64, right: u64) -> u64 {
    let mut sip = Sip::new(seed, domain);
    sip.absorb(left);
    sip.absorb(right);
    sip.finish()
}
