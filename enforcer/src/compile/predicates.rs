//! Peers as predicates over addresses: what can tell two addresses apart.

use std::collections::HashMap;

use crate::{
    geo::{Agreement, Asn, GeoSet, Location, SpecialRange},
    policy::{Cidr, Peer, Policy},
};

/// One bit for each predicate.
pub(super) type Bits = Box<[u64]>;

/// The distinct peers of all policies.
pub(super) struct Predicates<'a> {
    /// Peers that differ in more than their place.
    pub(super) distinct: Vec<&'a Peer>,
    /// For each policy, rule and peer: index into `distinct`.
    pub(super) of_rules: Vec<Vec<Vec<usize>>>,
}

impl<'a> Predicates<'a> {
    pub(super) fn of(policies: &'a [Policy]) -> Self {
        let mut distinct: Vec<&Peer> = Vec::new();
        let mut known: HashMap<PeerKey<'_>, usize> = HashMap::new();
        let mut of_rules = Vec::new();
        for policy in policies {
            let mut rules = Vec::new();
            for rule in &policy.rules {
                let indices = rule.peers.iter().map(|peer| {
                    *known.entry(PeerKey::of(peer)).or_insert_with(|| {
                        distinct.push(peer);
                        distinct.len() - 1
                    })
                });
                rules.push(indices.collect());
            }
            of_rules.push(rules);
        }
        Self { distinct, of_rules }
    }

    /// A row with a bit for each predicate that `holds`.
    pub(super) fn row(&self, holds: impl Fn(usize, &Peer) -> bool) -> Bits {
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
            .filter_map(|peer| peer.asns.as_deref())
            .flatten()
            .copied()
            .collect();
        asns.sort_unstable();
        asns.dedup();
        asns
    }

    /// The peer with the most networks and ASNs, for errors.
    pub(super) fn largest(&self) -> String {
        let size = |peer: &&&Peer| {
            peer.cidrs.as_ref().map_or(0, Vec::len)
                + peer.except.len()
                + peer.asns.as_ref().map_or(0, Vec::len)
        };
        match self.distinct.iter().max_by_key(size) {
            Some(peer) => format!("the peer at {} with {} entries", peer.at, size(&peer)),
            None => "no peer".to_owned(),
        }
    }
}

/// A peer without its place.
#[derive(PartialEq, Eq, Hash)]
struct PeerKey<'a> {
    regions: Option<crate::geo::CountrySet>,
    countries: Option<crate::geo::CountrySet>,
    anycast: bool,
    asns: Option<&'a [Asn]>,
    ranges: Option<&'a [SpecialRange]>,
    cidrs: Option<&'a [Cidr]>,
    except: &'a [Cidr],
}

impl<'a> PeerKey<'a> {
    fn of(peer: &'a Peer) -> Self {
        let Peer {
            at: _,
            regions,
            countries,
            anycast,
            asns,
            ranges,
            cidrs,
            except,
        } = peer;
        Self {
            regions: *regions,
            countries: *countries,
            anycast: *anycast,
            asns: asns.as_deref(),
            ranges: ranges.as_deref(),
            cidrs: cidrs.as_deref(),
            except,
        }
    }
}

/// Whether what the databases say of an address is what the peer asks for, leaving special-purpose
/// ranges and networks aside.
pub(super) fn location_fits(peer: &Peer, locations: &[Location], agreement: Agreement) -> bool {
    country_fits(peer, locations, agreement) && asn_fits(peer, locations, agreement)
}

fn country_fits(peer: &Peer, locations: &[Location], agreement: Agreement) -> bool {
    [&peer.regions, &peer.countries]
        .into_iter()
        .flatten()
        .all(|countries| GeoSet::in_countries(locations, countries, peer.anycast, agreement))
}

/// Whether the databases that know the ASN name the peer's, as for countries.
pub(super) fn asn_fits(peer: &Peer, locations: &[Location], agreement: Agreement) -> bool {
    let Some(asns) = &peer.asns else { return true };
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
pub(super) fn asks_where(peer: &Peer) -> bool {
    peer.regions.is_some() || peer.countries.is_some()
}

/// Whether the peer's `ranges` admit an address of `special`.
pub(super) fn range_fits(peer: &Peer, special: Option<SpecialRange>) -> bool {
    match &peer.ranges {
        None => true,
        Some(ranges) => special.is_some_and(|special| ranges.contains(&special)),
    }
}
