//! Branch-free binary search over the buckets of a page.
//!
//! A search that branches on each probe makes the verifier walk every path: 19 steps exceed its
//! limit of a million instructions. So the comparison becomes arithmetic, and the optimiser is kept
//! from turning it back into a branch.

use crate::{
    abi::{BUCKET_ENTRIES, Page, SHORT_ENTRIES},
    opaque::{demand, spread_sign},
};

/// All ones when `a <= b`, else 0.
#[inline(always)]
fn at_most(a: u64, b: u64) -> u64 {
    // The borrow of b - a (Hacker's Delight, 2-13).
    let borrow = (!b & a) | ((!b | a) & b.wrapping_sub(a));
    !spread_sign(borrow)
}

/// The same of numbers of 63 bits, whose difference has a sign.
#[inline(always)]
fn at_most_63(a: u64, b: u64) -> u64 {
    spread_sign(a.wrapping_sub(b + 1))
}

/// The atom's double word in a bucket of addresses, of at most [`BUCKET_ENTRIES`]: that of the last
/// one that is at most `target`, whose low 16 bits are ones.
#[inline(always)]
pub(super) fn double_of_few(page: &Page, first: u16, steps: u8, target: u64) -> u64 {
    let entry = |at| page.double(at) >> 1;
    page.double(last_of_few::<{ BUCKET_ENTRIES.ilog2() }>(
        entry,
        first,
        steps,
        target >> 1,
    ))
}

/// The same in a bucket of words, of at most [`SHORT_ENTRIES`].
#[inline(always)]
pub(super) fn word_of_few(page: &Page, first: u16, steps: u8, target: u32) -> u32 {
    let entry = |at| u64::from(page.word(at));
    page.word(last_of_few::<{ SHORT_ENTRIES.ilog2() }>(
        entry,
        first,
        steps,
        target.into(),
    ))
}

/// As [`last_double_at_most`] of numbers of 63 bits, with `STEPS` probes, or half as many where that is
/// enough: a way out after each would cost the verifier more than they cost here.
#[inline(always)]
fn last_of_few<const STEPS: u32>(
    entry: impl Fn(u16) -> u64,
    first: u16,
    steps: u8,
    target: u64,
) -> u16 {
    let at = u64::from(first);
    let half = 1u64 << (steps & 31);
    // The lines of a bucket, all at once: the probes would fetch one after the other.
    let quarter = half >> 2;
    for line in [at, at + quarter, at + 3 * quarter] {
        demand(entry(line as u16));
    }
    let step = |(at, half): (u64, u64)| {
        let half = half >> 1;
        (
            at + (half & at_most_63(entry((at + half) as u16), target)),
            half,
        )
    };
    let mut place = (at, half);
    if half > 1 << (STEPS / 2) {
        for _ in STEPS / 2..STEPS {
            place = step(place);
        }
    }
    for _ in 0..STEPS / 2 {
        place = step(place);
    }
    place.0 as u16
}

/// Position of the last of `1 << steps` sorted double words, from `first` on, that is at most
/// `target`. The first one must be. All have 63 bits. Positions are counted in double words.
#[inline(always)]
pub(super) fn last_double_at_most(page: &Page, first: u16, steps: u8, target: u64) -> u16 {
    let mut at = u64::from(first);
    let mut half = 1u64 << (steps & 31);
    // Most buckets are small: two steps at a time, then a look whether more are needed. A look at
    // each step would give the verifier twice as many ways out to follow.
    for _ in 0..8 {
        if half <= 1 {
            break;
        }
        for _ in 0..2 {
            half >>= 1;
            at += half & at_most_63(page.double((at + half) as u16), target);
        }
    }
    at as u16
}

/// Position of the last of `count` records (a power of two), each of `stride` words that start with
/// `hi` and `lo`, that is at most `(hi, lo)`, from word `first` on. The first one is taken when
/// none is.
#[inline(always)]
pub(super) fn last_record_at_most(
    page: &Page,
    first: u16,
    count: u16,
    stride: u16,
    hi: u64,
    lo: u64,
) -> u16 {
    let mut at = 0;
    let mut half = u64::from(count);
    for _ in 0..13 {
        half >>= 1;
        let probe = at + half;
        let place = (u64::from(first) + probe * u64::from(stride)) as u16 >> 1;
        let (entry_hi, entry_lo) = (page.double(place), page.double(place.wrapping_add(1)));
        let below = at_most(entry_hi, hi) & !at_most(hi, entry_hi);
        let equal = at_most(entry_hi, hi) & at_most(hi, entry_hi);
        let not_above = below | (equal & at_most(entry_lo, lo));
        at += half & not_above;
    }
    at as u16
}

#[cfg(test)]
mod tests {
    use super::{at_most, at_most_63};

    #[test]
    fn at_most_is_at_most() {
        let interesting = [
            0,
            1,
            2,
            u64::MAX,
            u64::MAX - 1,
            1 << 63,
            (1 << 63) - 1,
            1 << 32,
        ];
        for a in interesting {
            for b in interesting {
                assert_eq!(at_most(a, b), if a <= b { u64::MAX } else { 0 }, "{a} {b}");
                let (a, b) = (a >> 1, b >> 1);
                assert_eq!(at_most_63(a, b), at_most(a, b), "{a} {b}");
            }
        }
    }
}
