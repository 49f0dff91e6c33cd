//! Two databases side by side: which addresses moved.

mod extent;

use std::{collections::HashMap, hash::Hash};

use enforcer_common::abi::{Addr, EmbeddedV4, Family};

pub use extent::{AddressRange, Extent};

use super::{
    database::{Database, LocationId},
    flat::{Address, ranges, side_by_side},
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
    let v4: Vec<_> = side_by_side(&old.v4, &new.v4).collect();
    let v6: Vec<_> = side_by_side(&old.v6, &new.v6).collect();
    let v4 = moved_of(old, new, side_by_side(&v4, special::flat_v4()));
    let v6 = moved_of(old, new, side_by_side(&v6, special::flat_v6()));
    v4.chain(v6).collect()
}

type Placed = ((LocationId, LocationId), Option<special::SpecialRange>);

fn moved_of<K: Address>(
    old: &Database,
    new: &Database,
    laid: impl Iterator<Item = (K, Placed)>,
) -> impl Iterator<Item = Moved> {
    let location = move |database: &Database, LocationId(index): LocationId| {
        let known = database.locations.get(index as usize);
        known.copied().unwrap_or_default()
    };
    ranges(laid)
        .filter(|(range, (_, special))| special.is_none() && !range.embeds())
        .map(move |(range, ((before, after), _))| Moved {
            range,
            old: location(old, before),
            new: location(new, after),
        })
        .filter(|moved| moved.old != moved.new)
}

impl AddressRange {
    /// Whether its addresses are judged as the IPv4 addresses inside them.
    fn embeds(&self) -> bool {
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
