//! Peers as predicates over addresses: what can tell two addresses apart.

use std::collections::HashMap;

use crate::{
    geo::{Agreement, Asn, CountrySet, GeoSet, Location, SpecialRange},
    policy::{Cidr, Peer, Position},
};

/// One bit for each predicate.
pub(super) type Bits = Box<[u64]>;

/// The distinct predicates of all policies.
#[derive(Default)]
pub(super) struct Predicates<'a> {
    /// By number.
    pub(super) distinct: Vec<Predicate<'a>>,
    /// Where each was first met.
    at: Vec<&'a Position>,
    known: HashMap<Predicate<'a>, usize>,
}

/// A peer without its place and its names: what every given field says of an address at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Predicate<'a> {
    pub(super) regions: Option<CountrySet>,
    pub(super) countries: Option<CountrySet>,
    pub(super) anycast: bool,
    pub(super) asns: Option<&'a [Asn]>,
    pub(super) ranges: Option<&'a [SpecialRange]>,
    pub(super) cidrs: Option<&'a [Cidr]>,
    pub(super) except: &'a [Cidr],
}

impl<'a> Predicate<'a> {
    /// What a peer says itself. What its providers say comes besides: `regions` and `countries` are
    /// theirs then.
    pub(super) fn of(peer: &'a Peer) -> Self {
        // Without `..`: a new field must be thought of.
        let Peer {
            at: _,
            regions,
            countries,
            anycast,
            asns,
            ranges,
            cidrs,
            except,
            fqdns: _,
            providers,
        } = peer;
        let located = providers.is_none();
        Self {
            regions: regions.filter(|_| located),
            countries: countries.filter(|_| located),
            anycast: *anycast,
            asns: asns.as_deref(),
            ranges: ranges.as_deref(),
            cidrs: cidrs.as_deref(),
            except,
        }
    }

    pub(super) fn networks(cidrs: &'a [Cidr]) -> Self {
        Self {
            cidrs: Some(cidrs),
            ..Self::default()
        }
    }

    pub(super) fn systems(asns: &'a [Asn]) -> Self {
        Self {
            asns: Some(asns),
            ..Self::default()
        }
    }

    fn entries(&self) -> usize {
        let networks = self.cidrs.map_or(0, <[_]>::len) + self.except.len();
        networks + self.asns.map_or(0, <[_]>::len)
    }
}

impl<'a> Predicates<'a> {
    /// The number of a predicate, which stands `at` a place.
    pub(super) fn add(&mut self, predicate: Predicate<'a>, at: &'a Position) -> usize {
        *self.known.entry(predicate).or_insert_with(|| {
            self.distinct.push(predicate);
            self.at.push(at);
            self.distinct.len() - 1
        })
    }

    /// A row with a bit for each predicate that `holds`.
    pub(super) fn row(&self, holds: impl Fn(usize, &Predicate<'a>) -> bool) -> Bits {
        let mut bits = vec![0; self.distinct.len().div_ceil(64)];
        for (index, peer) in self.distinct.iter().enumerate() {
            bits[index / 64] |= u64::from(holds(index, peer)) << (index % 64);
        }
        bits.into()
    }

    /// ASNs that any peer names, sorted.
    pub(super) fn asns(&self) -> Vec<Asn> {
        let mut asns: Vec<Asn> = self
            .distinct
            .iter()
            .filter_map(|predicate| predicate.asns)
            .flatten()
            .copied()
            .collect();
        asns.sort_unstable();
        asns.dedup();
        asns
    }

    /// The peer with the most networks and ASNs, for errors.
    pub(super) fn largest(&self) -> String {
        let sized = self.distinct.iter().map(Predicate::entries).zip(&self.at);
        match sized.max_by_key(|&(size, _)| size) {
            Some((size, at)) => format!("the peer at {at} with {size} entries"),
            None => "no peer".to_owned(),
        }
    }
}

/// Whether what the databases say of an address is what the peer asks for, leaving special-purpose
/// ranges and networks aside.
pub(super) fn location_fits(
    peer: &Predicate<'_>,
    locations: &[Location],
    agreement: Agreement,
) -> bool {
    country_fits(peer, locations, agreement) && asn_fits(peer, locations, agreement)
}

fn country_fits(peer: &Predicate<'_>, locations: &[Location], agreement: Agreement) -> bool {
    [&peer.regions, &peer.countries]
        .into_iter()
        .flatten()
        .all(|countries| GeoSet::in_countries(locations, countries, peer.anycast, agreement))
}

/// Whether the databases that know the ASN name the peer's, as for countries.
pub(super) fn asn_fits(peer: &Predicate<'_>, locations: &[Location], agreement: Agreement) -> bool {
    let Some(asns) = peer.asns else { return true };
    let mut known = locations
        .iter()
        .filter_map(|location| location.asn)
        .peekable();
    match agreement {
        Agreement::All => known.peek().is_some() && known.all(|asn| asns.contains(&asn)),
        Agreement::Any => known.any(|asn| asns.contains(&asn)),
    }
}

/// Whether the peer asks where an address is. A special-purpose address is nowhere.
pub(super) fn asks_where(peer: &Predicate<'_>) -> bool {
    peer.regions.is_some() || peer.countries.is_some()
}

/// Whether the peer's `ranges` admit an address of `special`.
pub(super) fn range_fits(peer: &Predicate<'_>, special: Option<SpecialRange>) -> bool {
    match peer.ranges {
        None => true,
        Some(ranges) => special.is_some_and(|special| ranges.contains(&special)),
    }
}
