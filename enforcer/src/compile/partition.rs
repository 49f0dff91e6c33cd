//! Every address to its atom.
//!
//! Databases, special-purpose ranges and the policies' networks are each a flat list of range
//! starts. They are laid over each other one after the other, and after each step ranges that no
//! predicate can tell apart grow together again, so that a world database shrinks to what the
//! loaded policies ask about before the networks come in.

use std::{panic::resume_unwind, thread};

use enforcer_common::abi::Atom;
use rustc_hash::FxHashMap;

use super::{
    CompileError, Input,
    flat::{Flat, merged, overlay, union},
    predicates::{Bits, Predicates, asks_where, asn_fits, location_fits, range_fits},
};
use crate::{
    geo::{Asn, Database, Location, LocationId, SpecialRange, special},
    policy::Cidr,
};

/// The addresses of the world, partitioned.
pub(super) struct Partition<'a> {
    predicates: &'a Predicates<'a>,
    pub(super) v4: Flat<u32, Atom>,
    pub(super) v6: Flat<u128, Atom>,
    /// For each atom: which predicates hold.
    pub(super) signatures: Vec<Bits>,
}

/// What an image's address part consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressUsage {
    /// Distinct kinds of addresses.
    pub atoms: usize,
    /// IPv4 ranges.
    pub v4_ranges: usize,
    /// IPv6 ranges.
    pub v6_ranges: usize,
}

impl<'a> Partition<'a> {
    /// One number is not an atom ([`Atom::SPLIT`]).
    pub(super) const MOST_ATOMS: usize = Atom::SPLIT.0 as usize;

    pub(super) fn of(
        input: &Input<'_>,
        predicates: &'a Predicates<'a>,
    ) -> Result<Self, CompileError> {
        let layers = Layers::new(predicates, input);
        let lay_v4 = || layers.lay(|it| &it.v4, special::flat_v4(), v4_bounds);
        let (v4, v6) = thread::scope(|scope| {
            let beside = thread::Builder::new().spawn_scoped(scope, lay_v4);
            let v6 = layers.lay(|it| &it.v6, special::flat_v6(), v6_bounds);
            let v4 = match beside {
                Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
                // Where no more threads are permitted, one after the other.
                Err(_) => lay_v4(),
            };
            (v4, v6)
        });
        let mut signatures = Interner::new();
        let (v4, v6) = (v4.numbered(&mut signatures), v6.numbered(&mut signatures));
        let signatures = signatures.into_values();
        if signatures.len() > Self::MOST_ATOMS {
            return Err(CompileError::TooManyAtoms {
                atoms: signatures.len(),
                most: Self::MOST_ATOMS,
                largest: predicates.largest(),
            });
        }
        Ok(Self {
            predicates,
            v4,
            v6,
            signatures,
        })
    }

    pub(super) fn atoms(&self) -> usize {
        self.signatures.len()
    }

    /// Whether predicate `index` holds for the addresses of an atom.
    pub(super) fn holds(&self, atom: usize, index: usize) -> bool {
        self.signatures[atom][index / 64] >> (index % 64) & 1 == 1
    }

    pub(super) fn largest_contributor(&self) -> String {
        self.predicates.largest()
    }

    pub(super) fn usage(&self) -> AddressUsage {
        AddressUsage {
            atoms: self.atoms(),
            v4_ranges: self.v4.len(),
            v6_ranges: self.v6.len(),
        }
    }
}

fn v4_bounds(cidr: Cidr) -> Option<(u32, Option<u32>)> {
    let (first, last) = cidr.bounds();
    cidr.is_v4()
        .then(|| (first as u32, (last as u32).checked_add(1)))
}

fn v6_bounds(cidr: Cidr) -> Option<(u128, Option<u128>)> {
    let (first, last) = cidr.bounds();
    (!cidr.is_v4()).then(|| (first, last.checked_add(1)))
}

/// Values to small numbers, in the order of appearance.
struct Interner<T>(FxHashMap<T, u32>);

impl<T: Eq + std::hash::Hash> Interner<T> {
    fn new() -> Self {
        Self(FxHashMap::default())
    }

    fn id(&mut self, value: T) -> u32 {
        let next = self.0.len() as u32;
        *self.0.entry(value).or_insert(next)
    }

    /// By number.
    fn into_values(self) -> Vec<T> {
        let mut values: Vec<(u32, T)> = self.0.into_iter().map(|(value, id)| (id, value)).collect();
        values.sort_unstable_by_key(|&(id, _)| id);
        values.into_iter().map(|(_, value)| value).collect()
    }
}

/// What the predicates make of an address's locations: rows for an ordinary address and for a
/// special-purpose one, which is nowhere.
#[derive(Clone, PartialEq, Eq, Hash)]
struct GeoRows {
    ordinary: Bits,
    special: Bits,
}

/// Stands for every ASN that no peer names: they need not be told apart. RFC 7607 reserves 0.
const NO_ONE: Asn = Asn(0);

/// What the layers of both families are made from.
struct Layers<'a, 'p> {
    predicates: &'p Predicates<'a>,
    input: &'p Input<'a>,
    /// For each database: location to the number of its features.
    features: Vec<Vec<u32>>,
    /// Locations reduced to what the predicates ask about, by number.
    reduced: Vec<Location>,
}

/// The addresses of one family, by the numbers of signatures of its own.
struct Laid<K> {
    flat: Flat<K, u32>,
    signatures: Vec<Bits>,
}

impl<K> Laid<K> {
    /// With atoms in the order of appearance in all families. Those past the last one are not used.
    fn numbered(self, signatures: &mut Interner<Bits>) -> Flat<K, Atom> {
        let of_own = self.signatures.into_iter();
        let atoms: Vec<Atom> = of_own.map(|it| Atom(signatures.id(it) as u16)).collect();
        let flat = self.flat.into_iter();
        flat.map(|(start, id)| (start, atoms[id as usize]))
            .collect()
    }
}

impl<'a, 'p> Layers<'a, 'p> {
    fn new(predicates: &'p Predicates<'a>, input: &'p Input<'a>) -> Self {
        let asns = predicates.asns();
        let mut reduced = Interner::new();
        let features = input.geo.databases.iter().map(|database| {
            let locations = database.locations.iter().map(|location| {
                let named = |asn| asns.binary_search(&asn).is_ok();
                let asn = location
                    .asn
                    .map(|asn| if named(asn) { asn } else { NO_ONE });
                reduced.id(Location { asn, ..*location })
            });
            locations.collect()
        });
        Self {
            predicates,
            input,
            features: features.collect(),
            reduced: reduced.into_values(),
        }
    }

    fn lay<K: Copy + Ord + Default + 'p>(
        &self,
        ranges: impl Fn(&'p Database) -> &'p [(K, LocationId)],
        special: &[(K, Option<SpecialRange>)],
        bounds: impl Fn(Cidr) -> Option<(K, Option<K>)>,
    ) -> Laid<K> {
        let (geo, rows) = self.lay_databases(ranges);
        let (networks, network_rows) = self.lay_networks(bounds);
        let kinds: Vec<Option<SpecialRange>> = [None]
            .into_iter()
            .chain(SpecialRange::ALL.map(|(range, _)| Some(range)))
            .collect();
        let range_rows: Vec<Bits> = kinds
            .iter()
            .map(|&kind| self.predicates.row(|_, peer| range_fits(peer, kind)))
            .collect();
        let special: Flat<K, u32> = special
            .iter()
            .map(|&(start, range)| {
                (
                    start,
                    kinds.iter().position(|&kind| kind == range).unwrap_or(0) as u32,
                )
            })
            .collect();
        let mut places = Interner::new();
        let places_flat = overlay(&geo, &special, |geo, kind| {
            let GeoRows { ordinary, special } = &rows[geo as usize];
            let located = if kind == 0 { ordinary } else { special };
            places.id(and(located, &range_rows[kind as usize]))
        });
        let places = places.into_values();
        let mut signatures = Interner::new();
        let flat = overlay(&places_flat, &networks, |place, networks| {
            signatures.id(and(
                &places[place as usize],
                &network_rows[networks as usize],
            ))
        });
        Laid {
            flat,
            signatures: signatures.into_values(),
        }
    }

    /// Lays the databases over each other: ranges to numbers of rows, and those.
    fn lay_databases<K: Copy + Ord + Default + 'p>(
        &self,
        ranges: impl Fn(&'p Database) -> &'p [(K, LocationId)],
    ) -> (Flat<K, u32>, Vec<GeoRows>) {
        let mut geo = Interner::new();
        let mut rows = |tuple: &[u32]| geo.id(self.rows(tuple));
        let databases = self.input.geo.databases.iter().zip(&self.features);
        let mut featured = databases.map(|(database, features)| {
            let ranges = ranges(database).iter();
            ranges.map(|&(start, id)| (start, features[id.0 as usize]))
        });
        let laid = match (featured.next(), featured.next()) {
            (None, _) => vec![(K::default(), rows(&[]))],
            (Some(only), None) => {
                // The usual case: no list of a million ranges but the one that is kept.
                let features = 0..self.reduced.len() as u32;
                let of_feature: Vec<u32> = features.map(|feature| rows(&[feature])).collect();
                merged(only.map(|(start, feature)| (start, of_feature[feature as usize])))
            }
            (Some(first), Some(second)) => {
                let features = 0..self.reduced.len() as u32;
                let mut known: Vec<Vec<u32>> = features.map(|feature| vec![feature]).collect();
                let mut laid = merged(first);
                for next in [second].into_iter().chain(featured) {
                    let mut tuples = Interner::new();
                    laid = overlay(&laid, &merged(next), |tuple, feature| {
                        let mut tuple = known[tuple as usize].clone();
                        tuple.push(feature);
                        tuples.id(tuple)
                    });
                    known = tuples.into_values();
                }
                let of_tuple: Vec<u32> = known.iter().map(|tuple| rows(tuple)).collect();
                let laid = laid.into_iter();
                merged(laid.map(|(start, tuple)| (start, of_tuple[tuple as usize])))
            }
        };
        (laid, geo.into_values())
    }

    /// What the predicates make of what each database says.
    fn rows(&self, tuple: &[u32]) -> GeoRows {
        let located = tuple.iter().map(|&feature| self.reduced[feature as usize]);
        let locations: Vec<Location> = located.collect();
        let agreement = self.input.geo.agreement;
        GeoRows {
            ordinary: self
                .predicates
                .row(|_, peer| location_fits(peer, &locations, agreement)),
            special: self
                .predicates
                .row(|_, peer| !asks_where(peer) && asn_fits(peer, &locations, agreement)),
        }
    }

    /// The policies' networks as ranges: numbers of rows that say for which predicates an address
    /// is in `cidrs` (or there are none) and not in `except`.
    fn lay_networks<K: Copy + Ord + Default>(
        &self,
        bounds: impl Fn(Cidr) -> Option<(K, Option<K>)>,
    ) -> (Flat<K, u32>, Vec<Bits>) {
        let mut networks = Interner::new();
        let mut turns: Vec<(K, Turn)> = Vec::new();
        for (index, peer) in self.predicates.distinct.iter().enumerate() {
            for (list, except) in [(peer.cidrs, false), (Some(peer.except), true)] {
                let ranges = union(
                    list.unwrap_or_default()
                        .iter()
                        .filter_map(|&cidr| bounds(cidr)),
                );
                for (first, end) in ranges {
                    turns.push((
                        first,
                        Turn {
                            index,
                            except,
                            into: true,
                        },
                    ));
                    turns.extend(end.map(|end| {
                        (
                            end,
                            Turn {
                                index,
                                except,
                                into: false,
                            },
                        )
                    }));
                }
            }
        }
        turns.sort_by_key(|&(at, _)| at);
        let mut inside = self.predicates.row(|_, peer| peer.cidrs.is_none());
        let mut excepted = self.predicates.row(|_, _| false);
        let mut flat = vec![(K::default(), networks.id(inside.clone()))];
        for same_place in turns.chunk_by(|a, b| a.0 == b.0) {
            for (_, turn) in same_place {
                let bits = if turn.except {
                    &mut excepted
                } else {
                    &mut inside
                };
                let bit = 1 << (turn.index % 64);
                if turn.into {
                    bits[turn.index / 64] |= bit;
                } else {
                    bits[turn.index / 64] &= !bit;
                }
            }
            let row = inside
                .iter()
                .zip(&excepted)
                .map(|(inside, except)| inside & !except);
            let id = networks.id(row.collect());
            match flat.last_mut() {
                Some(last) if last.0 == same_place[0].0 => last.1 = id,
                _ => flat.push((same_place[0].0, id)),
            }
        }
        (merged(flat.into_iter()), networks.into_values())
    }
}

/// A bound of a network: from here on an address is inside (or no longer).
struct Turn {
    index: usize,
    except: bool,
    into: bool,
}

fn and(a: &Bits, b: &Bits) -> Bits {
    a.iter().zip(b).map(|(a, b)| a & b).collect()
}
