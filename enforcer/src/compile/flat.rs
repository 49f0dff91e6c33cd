//! Flat lists of ranges, and how they are laid over each other.

use rustc_hash::FxHashMap;

use crate::geo::flat::side_by_side;

/// Starts of ranges, ascending from 0, each with what holds from there on.
pub(super) type Flat<K, V> = Vec<(K, V)>;

/// Overlapping and adjacent ranges to disjoint ones. An end is exclusive; `None` is the end of the
/// address space.
pub(super) fn union<K: Copy + Ord>(
    ranges: impl Iterator<Item = (K, Option<K>)>,
) -> Vec<(K, Option<K>)> {
    let mut ranges: Vec<(K, Option<K>)> = ranges.collect();
    ranges.sort_unstable_by_key(|&(first, _)| first);
    let mut joined: Vec<(K, Option<K>)> = Vec::new();
    for (first, end) in ranges {
        match joined.last_mut() {
            Some((_, last_end)) if last_end.is_none_or(|last_end| first <= last_end) => {
                *last_end = match (*last_end, end) {
                    (Some(a), Some(b)) => Some(a.max(b)),
                    _ => None,
                };
            }
            _ => joined.push((first, end)),
        }
    }
    joined
}

/// Neighbours with the same value become one range.
pub(super) fn merged<K: Copy, V: Copy + PartialEq>(
    ranges: impl Iterator<Item = (K, V)>,
) -> Flat<K, V> {
    let mut flat: Flat<K, V> = Vec::new();
    for (start, value) in ranges {
        if flat.last().is_none_or(|&(_, last)| last != value) {
            flat.push((start, value));
        }
    }
    flat
}

/// Lays `b` over `a`; `combine` is asked once for each pair of values, which are small numbers.
pub(super) fn overlay<K: Copy + Ord>(
    a: &[(K, u32)],
    b: &[(K, u32)],
    mut combine: impl FnMut(u32, u32) -> u32,
) -> Flat<K, u32> {
    let mut combined = Combined::new(count(a), count(b));
    let pairs = side_by_side(a, b).map(|(start, (of_a, of_b))| {
        let value = combined.of((of_a, of_b), || combine(of_a, of_b));
        (start, value)
    });
    merged(pairs)
}

fn count<K>(flat: &[(K, u32)]) -> usize {
    let most = flat.iter().map(|&(_, value)| value).max();
    most.map_or(0, |most| most as usize + 1)
}

/// What pairs of numbers were combined to.
enum Combined {
    /// One number for each pair, or [`Combined::UNKNOWN`]; rows of so many.
    Dense(Vec<u32>, usize),
    Sparse(FxHashMap<(u32, u32), u32>),
}

impl Combined {
    const UNKNOWN: u32 = u32::MAX;
    /// 1 MiB: what is asked for each range of a world should stay in a cache.
    const MOST: usize = 1 << 18;

    fn new(of_a: usize, of_b: usize) -> Self {
        match of_a.checked_mul(of_b) {
            Some(pairs @ ..=Self::MOST) => Self::Dense(vec![Self::UNKNOWN; pairs], of_b),
            Some(_) | None => Self::Sparse(FxHashMap::default()),
        }
    }

    fn of(&mut self, (a, b): (u32, u32), combine: impl FnOnce() -> u32) -> u32 {
        let known = match self {
            Self::Dense(pairs, row) => &mut pairs[a as usize * *row + b as usize],
            Self::Sparse(pairs) => pairs.entry((a, b)).or_insert(Self::UNKNOWN),
        };
        if *known == Self::UNKNOWN {
            *known = combine();
        }
        *known
    }
}
