//! Addresses, in pieces that neither of two images tells apart.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
};

use enforcer_common::{
    abi::{Addr, EmbeddedV4, Family},
    verdict::{Pages as _, locate},
};

use crate::{
    compile::{Atlas, Image, Version},
    geo::{GeoSet, special},
};

/// How many addresses something is about, and where they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// IPv4 addresses.
    pub addresses: u64,
    /// IPv6 networks of 64 bits, parts counted as whole ones.
    pub networks: u64,
    /// ISO 3166-1 codes, `ZZ` and names of special-purpose ranges, the most addresses first.
    pub places: Vec<String>,
    /// One of the addresses.
    pub example: Option<IpAddr>,
}

/// The pieces. IPv6 addresses that hold an IPv4 address are left out: they are judged as that one.
pub(super) struct Pieces {
    /// For each pair of atoms: an address.
    kinds: Vec<((u16, u16), Addr)>,
    /// First address, size (addresses, or networks of 64 bits), index into `kinds`.
    pieces: Vec<(Addr, u64, u32)>,
}

impl Pieces {
    pub(super) fn of(before: Version<'_>, after: Version<'_>, geo: &GeoSet) -> Self {
        let (v4, v6) = bounds(geo, [before.atlas, after.atlas]);
        let (before, after) = (before.image, after.image);
        let mut known = HashMap::new();
        let mut pieces = Self {
            kinds: Vec::new(),
            pieces: Vec::new(),
        };
        let v4_pieces = v4.iter().enumerate().map(|(index, &start)| {
            let end = v4.get(index + 1).map_or(1 << 32, |&end| u64::from(end));
            (Addr::from_v4(start.to_be_bytes()), end - u64::from(start))
        });
        let v6_pieces = v6.iter().enumerate().map(|(index, &start)| {
            let last = v6.get(index + 1).map_or(u128::MAX, |&end| end - 1);
            let networks = ((last >> 64) - (start >> 64)) as u64;
            (
                Addr::from_v6(start.to_be_bytes()),
                networks.saturating_add(1),
            )
        });
        for (first, size) in v4_pieces.chain(v6_pieces) {
            let Some(atoms) = atoms(before, after, first) else {
                continue;
            };
            let kind = *known.entry(atoms).or_insert_with(|| {
                pieces.kinds.push((atoms, first));
                pieces.kinds.len() as u32 - 1
            });
            pieces.pieces.push((first, size, kind));
        }
        pieces
    }

    /// Every pair of atoms that occurs, with an address.
    pub(super) fn kinds(&self) -> impl Iterator<Item = &((u16, u16), Addr)> {
        self.kinds.iter()
    }

    /// The extents of `changes` changes, given which of them each kind belongs to.
    pub(super) fn extents(
        &self,
        geo: &GeoSet,
        of_kinds: &[Vec<usize>],
        changes: usize,
    ) -> Vec<Extent> {
        let mut extents = vec![Extent::default(); changes];
        let mut places: Vec<HashMap<String, u64>> = vec![HashMap::new(); changes];
        for &(first, size, kind) in &self.pieces {
            let concerned = &of_kinds[kind as usize];
            if concerned.is_empty() {
                continue;
            }
            let place = place(geo, first);
            for &change in concerned {
                let extent = &mut extents[change];
                let weight = match first.family() {
                    Family::V4(_) => {
                        extent.addresses += size;
                        size
                    }
                    Family::V6(..) => {
                        extent.networks = extent.networks.saturating_add(size);
                        // A country with one network of 32 bits is no larger than all of IPv4.
                        size >> 32
                    }
                };
                let address = Ipv6Addr::from(first.octets()).to_canonical();
                extent.example.get_or_insert(address);
                *places[change].entry(place.clone()).or_default() += weight;
            }
        }
        for (extent, places) in extents.iter_mut().zip(places) {
            let mut ranked: Vec<(String, u64)> = places.into_iter().collect();
            ranked.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            extent.places = ranked.into_iter().map(|(place, _)| place).collect();
        }
        extents
    }
}

fn place(geo: &GeoSet, address: Addr) -> String {
    let located = geo.locate(address);
    match (located.special, located.country) {
        (Some(range), _) => range.as_str().to_owned(),
        (None, Some(country)) => country.to_string(),
        (None, None) => "ZZ".to_owned(),
    }
}

/// The atoms of an address in both images. `None` for addresses that are judged as others, and for
/// loopback, which always passes.
fn atoms(before: &Image, after: &Image, address: Addr) -> Option<(u16, u16)> {
    if address.is_loopback() {
        return None;
    }
    if let Family::V6(hi, lo) = address.family()
        && !matches!(Addr::embedded(hi, lo), EmbeddedV4::None)
    {
        return None;
    }
    let atom = |image: &Image| locate(image, image.page(0)?, address.family()).ok();
    Some((atom(before)?.0, atom(after)?.0))
}

/// Where an atom or a place can change, ascending.
fn bounds(geo: &GeoSet, atlases: [&Atlas; 2]) -> (Vec<u32>, Vec<u128>) {
    let of_special = (special::flat_v4(), special::flat_v6());
    let mut v4: Vec<u32> = of_special.0.into_iter().map(|(start, _)| start).collect();
    let mut v6: Vec<u128> = of_special.1.into_iter().map(|(start, _)| start).collect();
    for database in &geo.databases {
        v4.extend(database.v4.iter().map(|&(start, _)| start));
        v6.extend(database.v6.iter().map(|&(start, _)| start));
    }
    for atlas in atlases {
        let starts = atlas.starts();
        v4.extend(starts.0);
        v6.extend(starts.1);
    }
    v4.sort_unstable();
    v4.dedup();
    v6.sort_unstable();
    v6.dedup();
    (v4, v6)
}
