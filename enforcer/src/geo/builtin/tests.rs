use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::LazyLock,
};

use enforcer_common::abi::Family;
use maxminddb::{LookupResult, Reader, geoip2};

use super::{ATTRIBUTION, database, mmdb_bytes};
use crate::geo::{Asn, CountryCode, Database, Location};

static DATABASE: LazyLock<Database> =
    LazyLock::new(|| database().expect("the built-in database is sound"));

/// The crate's own lookup of one address at a time, decoded with its own types.
struct Naive {
    reader: Reader<Vec<u8>>,
    decoded: HashMap<usize, Location>,
}

impl Naive {
    fn new() -> Self {
        let reader = Reader::from_source(mmdb_bytes().expect("the file")).expect("a reader");
        Self {
            reader,
            decoded: HashMap::new(),
        }
    }

    fn location(&mut self, address: IpAddr) -> Location {
        let found = self.reader.lookup(address).expect("a lookup");
        let Some(offset) = found.offset() else {
            return Location::default();
        };
        *self.decoded.entry(offset).or_insert_with(|| decode(&found))
    }
}

fn decode(found: &LookupResult<'_, Vec<u8>>) -> Location {
    let country: geoip2::Country<'_> = found.decode().expect("a record").expect("data");
    let asn: geoip2::Asn<'_> = found.decode().expect("a record").expect("data");
    let code = country.country.iso_code.and_then(CountryCode::parse);
    Location {
        country: code.filter(|code| code.is_assigned()),
        asn: asn.autonomous_system_number.map(Asn),
        anycast: country.traits.is_anycast.unwrap_or_default(),
    }
}

fn around(bound: u128, last: u128) -> impl Iterator<Item = u128> {
    let candidates = [bound.checked_sub(1), Some(bound), bound.checked_add(1)];
    candidates
        .into_iter()
        .flatten()
        .filter(move |&at| at <= last)
}

#[test]
fn every_ipv4_bound_and_its_neighbours_are_what_a_plain_lookup_says() {
    let mut naive = Naive::new();
    for &(start, _) in &DATABASE.v4 {
        for at in around(start.into(), u32::MAX.into()) {
            let v4 = Ipv4Addr::from(at as u32);
            let found = DATABASE.location(Family::V4(v4.into()));
            assert_eq!(found, naive.location(v4.into()), "{v4}");
        }
    }
}

#[test]
fn every_ipv6_bound_and_its_neighbours_are_what_a_plain_lookup_says() {
    let mut naive = Naive::new();
    for &(start, _) in &DATABASE.v6 {
        // The place of IPv4 in the tree is not IPv6.
        for at in around(start, u128::MAX).filter(|&at| at > u32::MAX.into()) {
            let v6 = Ipv6Addr::from(at);
            let found = DATABASE.location(Family::V6((at >> 64) as u64, at as u64));
            assert_eq!(found, naive.location(v6.into()), "{v6}");
        }
    }
}

#[test]
fn ranges_start_at_zero_ascend_and_differ() {
    assert_eq!((DATABASE.v4[0].0, DATABASE.v6[0].0), (0, 0));
    assert!(
        DATABASE
            .v4
            .windows(2)
            .all(|p| p[0].0 < p[1].0 && p[0].1 != p[1].1)
    );
    assert!(
        DATABASE
            .v6
            .windows(2)
            .all(|p| p[0].0 < p[1].0 && p[0].1 != p[1].1)
    );
    assert_eq!(DATABASE.locations[0], Location::default());
}

#[test]
fn the_file_is_a_sound_mmdb() {
    let reader = Reader::from_source(mmdb_bytes().expect("the file")).expect("a reader");
    reader.verify().expect("a sound file");
}

#[test]
fn it_knows_what_everybody_knows() {
    let at = |text: &str| {
        let v4: Ipv4Addr = text.parse().expect(text);
        DATABASE.location(Family::V4(v4.into()))
    };
    let google = at("8.8.8.8");
    assert_eq!(google.asn, Some(Asn(15169)));
    assert!(google.anycast);
    assert_eq!(DATABASE.as_names.get(Asn(15169)), Some("Google LLC"));
    assert_eq!(at("3.64.0.1").country, CountryCode::parse("DE"));
    assert_eq!(at("10.0.0.1"), Location::default());
    assert!(ATTRIBUTION.contains("CC BY-SA 4.0"));
    assert_eq!(DATABASE.info.attribution, ATTRIBUTION);
}

#[test]
fn no_country_that_is_none() {
    let countries = DATABASE.locations.iter().filter_map(|l| l.country);
    let strangers: Vec<_> = countries.filter(|code| !code.is_assigned()).collect();
    assert_eq!(strangers, []);
}
