//! Flat lists of ranges, and how they are laid over each other.

use rustc_hash::FxHashMap;

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

/// Lays `b` over `a`; `combine` is asked once for each pair of values.
pub(super) fn overlay<K: Copy + Ord>(
    a: &[(K, u32)],
    b: &[(K, u32)],
    mut combine: impl FnMut(u32, u32) -> u32,
) -> Flat<K, u32> {
    let mut combined: FxHashMap<(u32, u32), u32> = FxHashMap::default();
    let mut flat: Flat<K, u32> = Vec::with_capacity(a.len().max(b.len()));
    let (mut at_a, mut at_b) = (0, 0);
    while at_a < a.len() || at_b < b.len() {
        let next_a = a.get(at_a).map(|&(start, _)| start);
        let next_b = b.get(at_b).map(|&(start, _)| start);
        let start = match (next_a, next_b) {
            (Some(a), Some(b)) => a.min(b),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => break,
        };
        at_a += usize::from(next_a == Some(start));
        at_b += usize::from(next_b == Some(start));
        // Both lists start at 0, so both have a current range from the first round on.
        let pair = (a[at_a - 1].1, b[at_b - 1].1);
        let value = *combined
            .entry(pair)
            .or_insert_with(|| combine(pair.0, pair.1));
        if flat.last().is_none_or(|&(_, last)| last != value) {
            flat.push((start, value));
        }
    }
    flat
}
