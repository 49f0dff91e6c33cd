//! Addresses, in pieces that neither of two images tells apart.

use std::collections::HashMap;

use enforcer_common::{
    abi::{Addr, Atom, EmbeddedV4, Family},
    verdict::{Pages as _, locate},
};

use crate::{
    compile::{
        Image, Version,
        flat::{Flat, merged},
    },
    geo::{
        SpecialRange,
        diff::AddressRange,
        flat::{Address, ranges, side_by_side},
        special,
    },
};

/// The pieces. Loopback always passes, and IPv6 addresses that hold an IPv4 address are judged as that
/// one: both are left out.
pub(super) struct Pieces {
    kinds: Vec<Kind>,
    ranges: Vec<(AddressRange, usize)>,
}

/// Addresses for which both images decide alike.
pub(super) struct Kind {
    /// One of them.
    pub(super) example: Addr,
    /// Their atom in each image; `None` where the image is damaged.
    pub(super) atoms: [Option<u16>; 2],
}

impl Pieces {
    pub(super) fn of(before: Version<'_>, after: Version<'_>) -> Self {
        let (old, new) = (before.atlas, after.atlas);
        let v4 = judged(&old.v4, &new.v4, special::flat_v4());
        let v6 = judged(&old.v6, &new.v6, special::flat_v6());
        let mut known = HashMap::new();
        let mut kinds = Vec::new();
        let ranges = v4.into_iter().chain(v6).map(|(range, atoms)| {
            let kind = *known.entry(atoms).or_insert_with(|| {
                kinds.push(Kind {
                    example: range.first,
                    atoms: [before, after].map(|version| atom(version.image, range.first)),
                });
                kinds.len() - 1
            });
            (range, kind)
        });
        Self {
            ranges: ranges.collect(),
            kinds,
        }
    }

    /// Every kind that occurs.
    pub(super) fn kinds(&self) -> impl Iterator<Item = &Kind> {
        self.kinds.iter()
    }

    /// Every piece with the place of its kind, ascending, IPv4 first.
    pub(super) fn ranges(&self) -> impl Iterator<Item = (AddressRange, usize)> {
        self.ranges.iter().copied()
    }
}

type Judged = Vec<(AddressRange, (Atom, Atom))>;

/// Ranges of pairs of atoms, without what is not judged by itself: that begins and ends where
/// special-purpose ranges do.
fn judged<K: Address>(
    old: &[(K, Atom)],
    new: &[(K, Atom)],
    special: &[(K, Option<SpecialRange>)],
) -> Judged {
    let laid: Flat<K, (Atom, Atom)> = side_by_side(old, new).collect();
    // The IPv6 form of an IPv4 address is that address.
    let is_v4 = |address: Addr| matches!(address.family(), Family::V4(_));
    let is_own = |address| is_v4(address) == is_v4(K::LAST.addr());
    let judged = side_by_side(&laid, special).map(|(start, (atoms, _))| {
        let address = start.addr();
        let is_judged = is_own(address) && is_judged_by_itself(address);
        (start, is_judged.then_some(atoms))
    });
    ranges(merged(judged))
        .filter_map(|(range, atoms)| Some((range, atoms?)))
        .collect()
}

fn is_judged_by_itself(address: Addr) -> bool {
    let embeds = match address.family() {
        Family::V4(_) => false,
        Family::V6(hi, lo) => !matches!(Addr::embedded(hi, lo), EmbeddedV4::None),
    };
    !embeds && !address.is_loopback()
}

fn atom(image: &Image, address: Addr) -> Option<u16> {
    let atom = locate(image, image.page(0)?, address.family()).ok()?;
    Some(atom.0)
}
