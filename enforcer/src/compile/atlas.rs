//! Where decisions may change: the partition of all addresses, for those who ask about many at once.

use enforcer_common::abi::{Addr, Atom, Family};

use super::{
    CompileError, Input,
    flat::Flat,
    partition::Partition,
    resolve::{self, Resolved},
};

/// Ranges of addresses that no policy tells apart.
pub struct Atlas {
    pub(super) v4: Flat<u32, Atom>,
    pub(super) v6: Flat<u128, Atom>,
}

impl Atlas {
    /// That of the image which the same input makes.
    ///
    /// # Errors
    /// The policies tell more kinds of addresses apart than an image holds.
    pub fn of(input: &Input<'_>) -> Result<Self, CompileError> {
        let resolvers = resolve::resolvers(input);
        let Resolved { predicates, .. } = Resolved::of(input, &resolvers);
        let Partition { v4, v6, .. } = Partition::of(input, &predicates)?;
        Ok(Self { v4, v6 })
    }

    /// Where ranges start after `first`, up to `last` of the same family, ascending.
    #[must_use]
    pub fn starts_between(&self, first: Addr, last: Addr) -> Vec<Addr> {
        match (first.family(), last.family()) {
            (Family::V4(first), Family::V4(last)) => {
                let starts = between(&self.v4, first, last);
                starts.map(|start| v4(*start)).collect()
            }
            _ => {
                let number = |addr: Addr| u128::from_be_bytes(addr.octets());
                let starts = between(&self.v6, number(first), number(last));
                starts.map(|start| v6(*start)).collect()
            }
        }
    }

    /// One address for each kind, and for both families, of those that `wanted` accepts.
    #[must_use]
    pub fn representatives(&self, wanted: impl Fn(Addr) -> bool) -> Vec<Addr> {
        let mut found = vec![[false; 2]; usize::from(Atom::SPLIT.0)];
        let low = self.v4.iter().map(|&(start, atom)| (v4(start), atom, 0));
        let high = self.v6.iter().map(|&(start, atom)| (v6(start), atom, 1));
        low.chain(high)
            .filter(|&(start, atom, family)| {
                let known = &mut found[usize::from(atom.0)][family];
                let is_new = !*known && wanted(start);
                *known |= is_new;
                is_new
            })
            .map(|(start, ..)| start)
            .collect()
    }
}

fn between<K: Ord + Copy>(ranges: &[(K, Atom)], first: K, last: K) -> impl Iterator<Item = &K> {
    let from = ranges.partition_point(|&(start, _)| start <= first);
    let to = ranges.partition_point(|&(start, _)| start <= last);
    ranges[from..to.max(from)].iter().map(|(start, _)| start)
}

fn v4(start: u32) -> Addr {
    Addr::from_v4(start.to_be_bytes())
}

fn v6(start: u128) -> Addr {
    Addr::from_v6(start.to_be_bytes())
}
