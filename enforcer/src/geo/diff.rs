//! Two databases side by side: which addresses moved.

mod extent;

use std::{collections::HashMap, hash::Hash};

use enforcer_common::abi::{Addr, EmbeddedV4, Family};

pub use extent::{AddressRange, Extent};

use super::{
    database::{Database, LocationId},
    location::Location,
    special,
};

/// A range that two databases place differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The addresses.
    pub range: AddressRange,
    /// What the first database says of them.
    pub old: Location,
    /// What the second one says.
    pub new: Location,
}

/// Every ordinary address that the databases place differently. Special-purpose ranges are nowhere,
/// whatever a database says of them, and IPv4 inside IPv6 is judged as IPv4: both are left out.
#[must_use]
pub fn moved(old: &Database, new: &Database) -> Vec<Moved> {
    let v4 = side_by_side(&old.v4, &new.v4);
    let v6 = side_by_side(&old.v6, &new.v6);
    let v4 = moved_of(old, new, &side_by_side(&v4, &special::flat_v4()));
    let v6 = moved_of(old, new, &side_by_side(&v6, &special::flat_v6()));
    v4.into_iter().chain(v6).collect()
}

type Placed = ((LocationId, LocationId), Option<special::SpecialRange>);

fn moved_of<K: Address>(old: &Database, new: &Database, laid: &[(K, Placed)]) -> Vec<Moved> {
    let location = |database: &Database, LocationId(index): LocationId| {
        let known = database.locations.get(index as usize);
        known.copied().unwrap_or_default()
    };
    ranges(laid)
        .filter(|(range, (_, special))| special.is_none() && !range.embeds())
        .map(|(range, ((before, after), _))| Moved {
            range,
            old: location(old, before),
            new: location(new, after),
        })
        .filter(|moved| moved.old != moved.new)
        .collect()
}

/// An address of one family, as tables have it.
pub trait Address: Copy + Ord {
    /// As an address of either family.
    fn addr(self) -> Addr;
    /// The one before it; the last of all before the first.
    fn before(self) -> Self;
    /// The last of all.
    const LAST: Self;
}

impl Address for u32 {
    const LAST: Self = Self::MAX;

    fn addr(self) -> Addr {
        Addr::from_v4(self.to_be_bytes())
    }

    fn before(self) -> Self {
        self.wrapping_sub(1)
    }
}

impl Address for u128 {
    const LAST: Self = Self::MAX;

    fn addr(self) -> Addr {
        Addr::from_halves((self >> 64) as u64, self as u64)
    }

    fn before(self) -> Self {
        self.wrapping_sub(1)
    }
}

/// Two flat lists that both start at 0, laid over each other.
pub fn side_by_side<K: Copy + Ord, A: Copy, B: Copy>(
    a: &[(K, A)],
    b: &[(K, B)],
) -> Vec<(K, (A, B))> {
    let mut laid = Vec::with_capacity(a.len().max(b.len()));
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
        laid.push((start, (a[at_a - 1].1, b[at_b - 1].1)));
    }
    laid
}

/// A flat list as ranges with both their ends.
pub fn ranges<K: Address, V: Copy>(flat: &[(K, V)]) -> impl Iterator<Item = (AddressRange, V)> {
    flat.iter().enumerate().map(|(index, &(first, value))| {
        let next = flat.get(index + 1);
        let last = next.map_or(K::LAST, |&(next, _)| next.before());
        let range = AddressRange {
            first: first.addr(),
            last: last.addr(),
        };
        (range, value)
    })
}

impl AddressRange {
    /// Whether its addresses are judged as the IPv4 addresses inside them.
    #[must_use]
    pub fn embeds(&self) -> bool {
        match self.first.family() {
            Family::V4(_) => false,
            Family::V6(hi, lo) => matches!(Addr::embedded(hi, lo), EmbeddedV4::Only(_)),
        }
    }
}

/// Ranges in groups, with what they add up to.
#[derive(Debug)]
pub struct Groups<K>(HashMap<K, Extent>);

impl<K: Hash + Eq + Ord> Groups<K> {
    /// Adds a range to a group.
    pub fn add(&mut self, group: K, range: AddressRange) {
        self.0.entry(group).or_default().add(range);
    }

    /// The groups, largest first.
    #[must_use]
    pub fn largest_first(self) -> Vec<(K, Extent)> {
        let mut groups: Vec<_> = self.0.into_iter().collect();
        groups.sort_by(|(a_key, a), (b_key, b)| {
            let larger = b.weight().cmp(&a.weight());
            larger.then_with(|| a_key.cmp(b_key))
        });
        groups
    }
}

impl<K> Default for Groups<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

#[cfg(test)]
mod tests;
