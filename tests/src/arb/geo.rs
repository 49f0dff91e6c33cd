//! Small databases.

use std::{collections::BTreeMap, time::UNIX_EPOCH};

use enforcer::geo::{
    Agreement, AsNames, Asn, CountryCode, Database, DatabaseInfo, GeoSet, Location, LocationId,
};
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::select,
};

use super::address;

/// Two in the EEA, two outside.
pub(super) const COUNTRIES: [&str; 4] = ["DE", "FR", "CH", "US"];
/// One of a content network whose addresses are anycast, two others.
pub(super) const ASNS: [u32; 3] = [13335, 64500, 64501];

/// A country.
pub(super) fn country() -> impl Strategy<Value = CountryCode> {
    select(&COUNTRIES[..]).prop_map(|text| CountryCode::parse(text).expect("two letters"))
}

/// An ASN.
pub(super) fn asn() -> impl Strategy<Value = Asn> {
    select(&ASNS[..]).prop_map(Asn)
}

fn location() -> impl Strategy<Value = Location> {
    let anycast = prop::bool::weighted(0.2);
    (option::weighted(0.8, country()), option::of(asn()), anycast).prop_map(
        |(country, asn, anycast)| Location {
            country,
            asn,
            anycast,
        },
    )
}

/// One database: a dozen ranges of each family, special-purpose space included, for the answer must
/// not depend on what a database claims of it.
pub fn database() -> impl Strategy<Value = Database> {
    let known = vec(location(), 1..6);
    let v4 = btree_map(address::v4(), any::<prop::sample::Index>(), 0..12);
    let v6 = btree_map(address::v6(), any::<prop::sample::Index>(), 0..12);
    (known, v4, v6).prop_map(|(known, v4, v6)| {
        let mut locations = vec![Location::default()];
        for location in known {
            if !locations.contains(&location) {
                locations.push(location);
            }
        }
        Database {
            info: info(),
            v4: ranges(v4, locations.len()),
            v6: ranges(v6, locations.len()),
            locations,
            as_names: AsNames::default(),
        }
    })
}

/// Starts from 0; a range that continues its neighbour is not one.
fn ranges<T: Copy + Default + Ord>(
    starts: BTreeMap<T, prop::sample::Index>,
    locations: usize,
) -> Vec<(T, LocationId)> {
    let mut ranges = vec![(T::default(), LocationId(0))];
    for (start, index) in starts {
        let id = LocationId(u32::try_from(index.index(locations)).expect("a handful"));
        if start == T::default() {
            ranges[0].1 = id;
        } else if ranges[ranges.len() - 1].1 != id {
            ranges.push((start, id));
        }
    }
    ranges
}

fn info() -> DatabaseInfo {
    DatabaseInfo {
        name: "generated".to_owned(),
        path: None,
        database_type: "Generated".to_owned(),
        built: UNIX_EPOCH,
        has_countries: true,
        has_asns: true,
        has_anycast: true,
        attribution: String::new(),
    }
}

/// How they are combined.
pub fn agreement() -> impl Strategy<Value = Agreement> {
    select(&[Agreement::All, Agreement::Any][..])
}

/// One or two databases that overlap and disagree.
pub fn geo_set() -> impl Strategy<Value = GeoSet> {
    (vec(database(), 1..3), agreement()).prop_map(|(databases, agreement)| GeoSet {
        databases,
        agreement,
    })
}
