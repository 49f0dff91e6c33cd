use std::{net::IpAddr, path::PathBuf, time::SystemTime};

use super::*;
use crate::geo::{AsNames, Asn, CountryCode, DatabaseInfo};

fn place(country: &str, asn: u32) -> Location {
    Location {
        country: CountryCode::parse(country),
        asn: Some(Asn(asn)),
        anycast: false,
    }
}

fn database(v4: &[(&str, Location)], v6: &[(&str, Location)]) -> Database {
    let mut locations = vec![Location::default()];
    let mut id = |location: Location| {
        locations.push(location);
        LocationId(locations.len() as u32 - 1)
    };
    let number = |text: &str| match text.parse::<IpAddr>().expect("an address") {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    };
    let unknown = LocationId(0);
    let mut flat = |rows: &[(&str, Location)]| {
        let rows = rows
            .iter()
            .map(|&(start, location)| (number(start), id(location)));
        [(0, unknown)].into_iter().chain(rows).collect::<Vec<_>>()
    };
    let v4 = flat(v4).into_iter().map(|(start, id)| (start as u32, id));
    Database {
        v4: v4.collect(),
        v6: flat(v6),
        locations,
        info: DatabaseInfo {
            name: "test".into(),
            path: None::<PathBuf>,
            database_type: String::new(),
            built: SystemTime::UNIX_EPOCH,
            has_countries: true,
            has_asns: true,
            has_anycast: false,
            attribution: String::new(),
        },
        as_names: AsNames::default(),
    }
}

#[test]
fn ranges_that_moved_are_exact() {
    let old = database(
        &[("8.0.0.0", place("DE", 1)), ("9.0.0.0", place("FR", 2))],
        &[("2a00::", place("DE", 1))],
    );
    let new = database(
        &[
            ("8.0.0.0", place("DE", 1)),
            ("8.128.0.0", place("US", 1)),
            ("9.0.0.0", place("FR", 2)),
        ],
        &[("2a00::", place("DE", 1)), ("2a01::", place("DE", 3))],
    );
    let moved = moved(&old, &new);
    let told: Vec<_> = moved
        .iter()
        .filter(|moved| moved.new.country == CountryCode::parse("US"))
        .map(|moved| (moved.range.to_string(), moved.range.addresses()))
        .collect();
    assert_eq!(told, [("8.128.0.0-8.255.255.255".to_owned(), 1 << 23)]);
    let asns: Vec<_> = moved
        .iter()
        .filter(|moved| moved.new.asn == Some(Asn(3)))
        .collect();
    assert!(asns.iter().all(|moved| moved.old == place("DE", 1)));
    assert_eq!(asns[0].range.first, u128::addr(0x2a01 << 112));
    assert!(
        moved
            .iter()
            .all(|moved| special::of(moved.range.first).is_none())
    );
}

#[test]
fn extents_add_up_and_keep_the_largest() {
    let mut groups = Groups::default();
    let range = |first: u32, last: u32| AddressRange {
        first: first.addr(),
        last: last.addr(),
    };
    for (first, last) in [(0, 0), (10, 19), (30, 31), (40, 44), (50, 52)] {
        groups.add("a", range(first, last));
    }
    groups.add("b", range(100, 200));
    let groups = groups.largest_first();
    assert_eq!((groups[0].0, groups[1].0), ("b", "a"));
    let extent = &groups[1].1;
    assert_eq!(extent.to_string(), "21 IPv4 addresses in 5 ranges");
    let largest: Vec<_> = extent.largest().iter().map(ToString::to_string).collect();
    assert_eq!(
        largest,
        [
            "0.0.0.10-0.0.0.19",
            "0.0.0.40-0.0.0.44",
            "0.0.0.50-0.0.0.52"
        ]
    );
    let json = serde_json::to_value(extent).expect("JSON");
    assert_eq!(json["ipv4_addresses"], 21);
    assert_eq!(json["ipv6_addresses"], "0");
}
