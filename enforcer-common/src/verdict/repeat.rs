//! Which verdicts hold until something changes, and the mark of a flow that has one.

use core::num::NonZeroU64;

use super::{
    decision::{Decision, Reason, Verdict},
    flow::Flow,
};
use crate::abi::Epoch;

/// Mark of an allowed flow: what it may look at and the epoch it was judged in, hashed.
///
/// Sixty-four bits are compared instead of five words, so that a table of marks is read and written
/// whole by one instruction each, without a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    word: NonZeroU64,
    place: u64,
}

impl Mark {
    /// `None` while nothing may be remembered.
    #[inline(always)]
    #[must_use]
    pub fn of(flow: &Flow, epoch: &Epoch) -> Option<Self> {
        if !epoch.has_begun() {
            return None;
        }
        let (hi, lo) = flow.dst.halves();
        let what = u64::from(flow.proto.0) << 24 | u64::from(flow.ports.word());
        let words = [flow.subject.0, hi, lo, what];
        let [first, second] = &epoch.0;
        let word = hash(first, words) & !LOW | hash(second, words) >> 32;
        Some(Self {
            word: NonZeroU64::new(word)?,
            place: place(words),
        })
    }

    /// The word of the table. An empty place holds 0, which is no mark.
    #[inline(always)]
    #[must_use]
    pub const fn word(self) -> u64 {
        self.word.get()
    }

    /// Its place in a table of `slots`, a power of two.
    #[inline(always)]
    #[must_use]
    pub const fn slot(self, slots: u32) -> u32 {
        (self.place >> 32) as u32 & (slots - 1)
    }
}

const LOW: u64 = u32::MAX as u64;

/// Half-multiplied multilinear hashing (Lemire and Kaser, 2014) of three double words and a word: of
/// two different inputs, the upper 32 bits are equal under one key of 2^32. That is proven, not
/// assumed, for whoever learns nothing of the key; all that a workload can learn is whether a flow
/// passed that it was refused.
#[inline(always)]
fn hash(key: &[u64; 8], [a, b, c, word]: [u64; 4]) -> u64 {
    let pair = |double: u64, k0: u64, k1: u64| {
        (double >> 32)
            .wrapping_add(k0)
            .wrapping_mul((double & LOW).wrapping_add(k1))
    };
    key[0]
        .wrapping_add(pair(a, key[1], key[2]))
        .wrapping_add(pair(b, key[3], key[4]))
        .wrapping_add(pair(c, key[5], key[6]))
        .wrapping_add(word.wrapping_mul(key[7]))
}

/// Not of the key: whoever finds out by the clock which flows share a place must learn nothing of it.
/// Four products beside each other: one after the other they would take as long as both halves of a mark.
#[inline(always)]
fn place([a, b, c, d]: [u64; 4]) -> u64 {
    // The golden ratio (Knuth, volume 3, 6.4), those of SplitMix64 (Steele, Lea and Flood, 2014), and
    // that of xorshift64* (Vigna, 2016).
    const FACTORS: [u64; 4] = [
        0x9e37_79b9_7f4a_7c15,
        0xbf58_476d_1ce4_e5b9,
        0x94d0_49bb_1331_11eb,
        0x2545_f491_4f6c_dd1d,
    ];
    let [fa, fb, fc, fd] = FACTORS;
    a.wrapping_mul(fa)
        .wrapping_add(b.wrapping_mul(fb))
        .wrapping_add(c.wrapping_mul(fc))
        .wrapping_add(d.wrapping_mul(fd))
}

impl Decision {
    /// Whether every equal flow gets the same decision until the epoch ends, and nothing need be
    /// said of it: allowed, by what only tags and image say.
    #[inline(always)]
    #[must_use]
    pub fn holds_for_the_epoch(&self) -> bool {
        let by_tables = matches!(
            self.reason,
            Reason::Rule | Reason::Released | Reason::Untagged
        );
        by_tables && self.verdict == Verdict::Allow && !self.would_deny && !self.by_name
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::{collections::BTreeSet, vec::Vec};

    use super::Mark;
    use crate::{
        abi::{Addr, CgroupId, Epoch, Hook, Port, Ports, Proto},
        verdict::Flow,
    };

    /// Any numbers with nothing in common (SplitMix64; Steele, Lea and Flood, 2014).
    fn epoch(mut seed: u64) -> Epoch {
        let mut next = || {
            seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (seed ^ seed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ mixed >> 31
        };
        Epoch([0; 2].map(|_| [0; 8].map(|_| next())))
    }

    /// Flows of which each two differ in one bit of one field, or in two.
    fn neighbours() -> Vec<Flow> {
        let flow = Flow {
            subject: CgroupId(4711),
            dst: Addr::from_halves(0x2001_0db8_0000_0000, 7),
            proto: Proto::TCP,
            ports: Ports::is(Port(443)),
            hook: Hook::Connect,
        };
        let mut flows = Vec::from([flow]);
        let (hi, lo) = flow.dst.halves();
        for bit in 0..64 {
            let subject = CgroupId(flow.subject.0 ^ 1 << bit);
            flows.push(Flow { subject, ..flow });
            let dst = Addr::from_halves(hi ^ 1 << bit, lo);
            flows.push(Flow { dst, ..flow });
            let dst = Addr::from_halves(hi, lo ^ 1 << bit);
            flows.push(Flow { dst, ..flow });
        }
        for bit in 0..8 {
            let proto = Proto(flow.proto.0 ^ 1 << bit);
            flows.push(Flow { proto, ..flow });
        }
        for bit in 0..16 {
            let ports = Ports::is(Port(443 ^ 1 << bit));
            flows.push(Flow { ports, ..flow });
        }
        for ports in [Ports::ABSENT, Ports::UNKNOWN] {
            flows.push(Flow { ports, ..flow });
        }
        flows
    }

    #[test]
    fn every_field_and_every_epoch_tells_in_both_halves_of_a_mark() {
        let (mut upper, mut lower) = (BTreeSet::new(), BTreeSet::new());
        let flows = neighbours();
        for seed in 0..16 {
            for flow in &flows {
                let mark = Mark::of(flow, &epoch(seed)).expect("an epoch");
                upper.insert(mark.word() >> 32);
                lower.insert(mark.word() as u32);
            }
        }
        // 3504 numbers of 32 bits: two are equal once in 700 runs, and these are always the same.
        assert_eq!(upper.len(), 16 * flows.len());
        assert_eq!(lower.len(), 16 * flows.len());
    }

    #[test]
    fn the_place_is_no_matter_of_the_epoch() {
        for flow in neighbours() {
            let [one, other] = [1, 2].map(|seed| Mark::of(&flow, &epoch(seed)).expect("an epoch"));
            assert_eq!(one.slot(1 << 14), other.slot(1 << 14));
        }
    }

    #[test]
    fn flows_spread_over_the_places() {
        let flow = neighbours()[0];
        let places: BTreeSet<u32> = (0..1 << 12)
            .map(|host: u32| {
                let dst = Addr::from_v4((0x0a00_0000 + host).to_be_bytes());
                let mark = Mark::of(&Flow { dst, ..flow }, &epoch(1)).expect("an epoch");
                mark.slot(1 << 14)
            })
            .collect();
        // Of 4096 at random in 16384 places, 3624 places are expected.
        assert!(places.len() > 3500, "{}", places.len());
    }

    #[test]
    fn nothing_is_remembered_before_the_first_epoch() {
        assert_eq!(Mark::of(&neighbours()[0], &Epoch::NONE), None);
    }
}
