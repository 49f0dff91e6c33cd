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
    const BITS: u32 = 16;
    let all = Under {
        prefix: 0,
        known: 0,
        before: Atom(0),
        starts: ranges,
    };
    let nodes: Vec<u32> = all.split(BITS).map(|it| node(arena, &it).pack()).collect();
    arena.put(&nodes).page
}

/// What is known of the numbers under a prefix.
#[derive(Clone, Copy)]
struct Under<'a> {
    /// The first of them.
    prefix: u64,
    /// Bits of the prefix: those already looked at.
    known: u32,
    /// What holds there, unless a range starts with the first of them.
    before: Atom,
    /// Ranges that start among them.
    starts: &'a [(u64, Atom)],
}

impl<'a> Under<'a> {
    /// Whether no range starts with the first number.
    fn begins_before(&self) -> bool {
        self.starts
            .first()
            .is_none_or(|&(start, _)| start != self.prefix)
    }

    fn len(&self) -> usize {
        self.starts.len() + usize::from(self.begins_before())
    }

    /// Ranges of all of them, with the bits not yet looked at from the highest down. There are some
    /// such bits, or it is one range: ranges of different atoms start at different numbers.
    fn entries(&self) -> impl Iterator<Item = (u64, Atom)> {
        let first = self.begins_before().then_some((self.prefix, self.before));
        let all = first.into_iter().chain(self.starts.iter().copied());
        all.map(|(start, atom)| (start << self.known, atom))
    }

    /// What is under each longer prefix.
    fn split(self, bits: u32) -> impl Iterator<Item = Under<'a>> {
        let known = self.known + bits;
        let (mut rest, mut before) = (self.starts, self.before);
        (0..1_u64 << bits).map(move |next| {
            let prefix = self.prefix | next << (64 - known);
            let within = |&&(start, _): &&(u64, Atom)| (start ^ prefix) >> (64 - known) == 0;
            let (starts, after) = rest.split_at(rest.iter().take_while(within).count());
            let under = Under {
                prefix,
                known,
                before,
                starts,
            };
            rest = after;
            before = starts.last().map_or(before, |&(_, atom)| atom);
            under
        })
    }
}

fn node(arena: &mut Arena, under: &Under<'_>) -> Node {
    let len = under.len();
    if len == 1 {
        let atom = under.starts.first().map_or(under.before, |&(_, atom)| atom);
        return Node::Leaf(atom);
    }
    if len <= usize::from(SHORT_ENTRIES) && under.entries().all(|(start, _)| start << 16 == 0) {
        let mut words = Vec::with_capacity(len.next_power_of_two());
        let entries = under.entries();
        words.extend(entries.map(|(start, atom)| (start >> 32) as u32 | u32::from(atom.0)));
        let steps = pad(&mut words);
        let place = arena.put(&words);
        return Node::Short {
            page: place.page,
            offset: place.word,
            steps,
        };
    }
    if len <= usize::from(BUCKET_ENTRIES) {
        let entries = under.entries();
        let doubles = entries.map(|(start, atom)| start & !0xffff | u64::from(atom.0));
        let mut doubles: Vec<u64> = doubles.collect();
        let steps = pad(&mut doubles);
        let place = arena.put(&words_of(doubles));
        return Node::Bucket {
            page: place.page,
            offset: place.word / 2,
            steps,
        };
    }
    let children: Vec<u32> = under.split(8).map(|it| node(arena, &it).pack()).collect();
    let place = arena.put(&children);
    Node::Inner {
        page: place.page,
        offset: place.word,
    }
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
