//! Atoms by address: the range tables. One of the places that tell IPv4 from IPv6, for their layout.

use enforcer_common::abi::{Atom, BUCKET_ENTRIES, Node, SHORT_ENTRIES, TailEntry};

use super::{
    flat::Flat,
    pages::{Arena, pad, words_of},
    partition::Partition,
};

/// Where the tables are.
pub(super) struct Tables {
    pub(super) v4_index: u8,
    pub(super) v6_index: u8,
    pub(super) tail: Vec<TailEntry>,
}

pub(super) fn write(arena: &mut Arena, partition: &Partition<'_>) -> Tables {
    let v4 = partition.v4.iter();
    let v4 = v4.map(|&(start, atom)| (u64::from(start) << 32, atom));
    let v4_index = write_index(arena, &v4.collect());
    let (upper, tail) = split(&partition.v6);
    let v6_index = write_index(arena, &upper);
    Tables {
        v4_index,
        v6_index,
        tail,
    }
}

/// An index of 64-bit numbers: the first halves of addresses, or hashes of names. Its page.
pub(super) fn write_index(arena: &mut Arena, ranges: &Flat<u64, Atom>) -> u8 {
    let nodes: Vec<u32> = by_prefix(
        ranges,
        1 << 16,
        |start| (start >> 48) as usize,
        |prefix| (prefix as u64) << 48,
    )
    .map(|mut entries| {
        for (start, _) in &mut entries {
            *start <<= 16;
        }
        node(arena, &entries).pack()
    })
    .collect();
    arena.put(&nodes).page
}

/// The node for entries whose bits not yet looked at stand at the top of their starts. After 48 bits
/// there is one entry: ranges of different atoms start at different addresses.
fn node(arena: &mut Arena, entries: &Flat<u64, Atom>) -> Node {
    if let [(_, atom)] = entries[..] {
        return Node::Leaf(atom);
    }
    if entries.len() <= usize::from(SHORT_ENTRIES)
        && entries.iter().all(|(start, _)| start << 16 == 0)
    {
        let words = entries
            .iter()
            .map(|&(start, atom)| (start >> 32) as u32 | u32::from(atom.0));
        let mut words: Vec<u32> = words.collect();
        let steps = pad(&mut words);
        let place = arena.put(&words);
        return Node::Short {
            page: place.page,
            offset: place.word,
            steps,
        };
    }
    if entries.len() <= usize::from(BUCKET_ENTRIES) {
        let doubles = entries
            .iter()
            .map(|&(start, atom)| start & !0xffff | u64::from(atom.0));
        let mut doubles: Vec<u64> = doubles.collect();
        let steps = pad(&mut doubles);
        let place = arena.put(&words_of(doubles));
        return Node::Bucket {
            page: place.page,
            offset: place.word / 2,
            steps,
        };
    }
    let children: Vec<u32> = by_prefix(
        entries,
        1 << 8,
        |start| (start >> 56) as usize,
        |prefix| (prefix as u64) << 56,
    )
    .map(|mut entries| {
        for (start, _) in &mut entries {
            *start <<= 8;
        }
        node(arena, &entries).pack()
    })
    .collect();
    let place = arena.put(&children);
    Node::Inner {
        page: place.page,
        offset: place.word,
    }
}

/// For each of `count` prefixes: its ranges, the first one starting where the prefix does.
fn by_prefix<K: Copy + PartialEq>(
    ranges: &Flat<K, Atom>,
    count: usize,
    prefix_of: impl Fn(K) -> usize,
    start_of: impl Fn(usize) -> K,
) -> impl Iterator<Item = Flat<K, Atom>> {
    let mut next = 0;
    let mut current = Atom(0);
    (0..count).map(move |prefix| {
        let first = next;
        while next < ranges.len() && prefix_of(ranges[next].0) == prefix {
            next += 1;
        }
        let mut entries = Vec::with_capacity(next - first + 1);
        if ranges
            .get(first)
            .is_none_or(|&(start, _)| start != start_of(prefix) || first == next)
        {
            entries.push((start_of(prefix), current));
        }
        entries.extend_from_slice(&ranges[first..next]);
        if let Some(&(_, last)) = entries.last() {
            current = last;
        }
        entries
    })
}

/// Ranges of whole /64s, and a tail for the /64s that hold several.
fn split(ranges: &Flat<u128, Atom>) -> (Flat<u64, Atom>, Vec<TailEntry>) {
    let mut upper: Flat<u64, Atom> = Vec::new();
    let mut tail = Vec::new();
    let mut current = Atom(0);
    for same in ranges.chunk_by(|a, b| a.0 >> 64 == b.0 >> 64) {
        let hi = (same[0].0 >> 64) as u64;
        if let [(start, atom)] = same
            && *start as u64 == 0
        {
            push(&mut upper, hi, *atom);
        } else {
            push(&mut upper, hi, Atom::SPLIT);
            if same[0].0 as u64 != 0 {
                tail.push(TailEntry {
                    hi,
                    lo: 0,
                    atom: current,
                });
            }
            tail.extend(same.iter().map(|&(start, atom)| TailEntry {
                hi,
                lo: start as u64,
                atom,
            }));
            if let Some(after) = hi.checked_add(1) {
                upper.push((after, same[same.len() - 1].1));
            }
        }
        current = same[same.len() - 1].1;
    }
    (upper, tail)
}

/// A start replaces what the end of a split /64 put there.
fn push(upper: &mut Flat<u64, Atom>, hi: u64, atom: Atom) {
    if upper.last().is_some_and(|&(start, _)| start == hi) {
        upper.pop();
    }
    upper.push((hi, atom));
}
