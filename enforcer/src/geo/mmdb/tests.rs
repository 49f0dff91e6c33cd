//! Databases of every layout, written for the test.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
};

use enforcer_common::abi::Family;
use maxminddb::Reader;
use mmdb_writer::{IpVersion, Ipv4Aliasing, RecordSize, Value, Writer, ipnet::IpNet};

use super::parse;
use crate::geo::{Asn, CountryCode, Database, GeoError, Location};

fn text(value: &str) -> Value {
    Value::from(value)
}

fn file(networks: &[(&str, Value)]) -> Vec<u8> {
    let mut writer = Writer::new("Test");
    fill(&mut writer, networks);
    writer.to_bytes().expect("a database")
}

fn fill(writer: &mut Writer, networks: &[(&str, Value)]) {
    for (network, value) in networks {
        let network: IpNet = network.parse().expect("a network");
        writer.insert_value(network, value.clone()).expect("room");
    }
}

fn read(networks: &[(&str, Value)]) -> Database {
    parse(&file(networks), Path::new("test.mmdb")).expect("a readable database")
}

fn at(database: &Database, address: &str) -> Location {
    let family = match address.parse().expect(address) {
        IpAddr::V4(v4) => Family::V4(v4.into()),
        IpAddr::V6(v6) => {
            let number = u128::from(v6);
            Family::V6((number >> 64) as u64, number as u64)
        }
    };
    database.location(family)
}

fn location(country: &str, asn: u32, anycast: bool) -> Location {
    Location {
        country: CountryCode::parse(country),
        asn: (asn != 0).then_some(Asn(asn)),
        anycast,
    }
}

fn iso(code: &str) -> Value {
    Value::map([
        ("geoname_id", Value::from(2_921_044_u32)),
        ("iso_code", text(code)),
        ("names", Value::map([("en", text("Somewhere"))])),
    ])
}

#[test]
fn geoip2_country_and_city() {
    let database = read(&[
        (
            "192.0.2.0/24",
            Value::map([
                (
                    "city",
                    Value::map([("names", Value::map([("en", text("Bonn"))]))]),
                ),
                ("country", iso("DE")),
                ("registered_country", iso("US")),
                ("subdivisions", Value::array([iso("NW")])),
                ("traits", Value::map([("is_anycast", Value::from(true))])),
            ]),
        ),
        (
            "198.51.100.0/24",
            Value::map([("registered_country", iso("DE"))]),
        ),
        ("2001:db8::/32", Value::map([("country", iso("FR"))])),
    ]);
    assert_eq!(at(&database, "192.0.2.7"), location("DE", 0, true));
    // Where the holder is registered is not where the network is.
    assert_eq!(at(&database, "198.51.100.7"), Location::default());
    assert_eq!(at(&database, "2001:db8::7"), location("FR", 0, false));
    assert_eq!(at(&database, "203.0.113.1"), Location::default());
    assert!(database.info.has_countries && database.info.has_anycast);
    assert!(!database.info.has_asns);
}

#[test]
fn geolite2_asn() {
    let database = read(&[(
        "192.0.2.0/24",
        Value::map([
            ("autonomous_system_number", Value::from(64_496_u32)),
            ("autonomous_system_organization", text("Example")),
        ]),
    )]);
    assert_eq!(at(&database, "192.0.2.0"), location("", 64_496, false));
    assert_eq!(database.as_names.get(Asn(64_496)), Some("Example"));
    assert_eq!(database.as_names.get(Asn(64_497)), None);
    assert!(database.info.has_asns && !database.info.has_countries);
}

#[test]
fn ipinfo_lite_and_its_forerunner() {
    let database = read(&[
        (
            "192.0.2.0/24",
            Value::map([
                ("as_domain", text("example.com")),
                ("as_name", text("Example")),
                ("asn", text("AS64496")),
                ("continent_code", text("EU")),
                ("country", text("Germany")),
                ("country_code", text("DE")),
            ]),
        ),
        (
            "198.51.100.0/24",
            Value::map([("country", text("FR")), ("asn", text(""))]),
        ),
    ]);
    assert_eq!(at(&database, "192.0.2.1"), location("DE", 64_496, false));
    assert_eq!(at(&database, "198.51.100.1"), location("FR", 0, false));
    assert_eq!(database.as_names.get(Asn(64_496)), Some("Example"));
}

#[test]
fn flat_country_code_and_codes_that_are_no_country() {
    let row = |code| Value::map([("country_code", text(code))]);
    let database = read(&[
        ("192.0.2.0/24", row("de")),
        ("198.51.100.0/26", row("EU")),
        ("198.51.100.64/26", row("A1")),
        ("198.51.100.128/26", row("XX")),
        ("198.51.100.192/26", row("")),
        ("203.0.113.0/24", row("XK")),
    ]);
    assert_eq!(at(&database, "192.0.2.1"), location("DE", 0, false));
    for address in [
        "198.51.100.0",
        "198.51.100.64",
        "198.51.100.128",
        "198.51.100.255",
    ] {
        assert_eq!(at(&database, address), Location::default(), "{address}");
    }
    assert_eq!(at(&database, "203.0.113.0"), location("XK", 0, false));
}

/// Neighbours with the same answer are one range, gaps are unknown, and all is covered.
#[test]
fn ranges_are_merged() {
    let row = |code| Value::map([("country_code", text(code)), ("note", text(code))]);
    let other = Value::map([("country_code", text("DE")), ("note", text("other record"))]);
    let database = read(&[
        ("10.0.0.0/9", row("DE")),
        ("10.128.0.0/9", other),
        ("12.0.0.0/8", row("FR")),
        ("255.255.255.255/32", row("FR")),
    ]);
    let starts: Vec<_> = database
        .v4
        .iter()
        .map(|&(start, _)| Ipv4Addr::from(start).to_string())
        .collect();
    let expected = [
        "0.0.0.0",
        "10.0.0.0",
        "11.0.0.0",
        "12.0.0.0",
        "13.0.0.0",
        "255.255.255.255",
    ];
    assert_eq!(starts, expected);
    assert_eq!(database.v6.len(), 1);
    assert_eq!(database.locations.len(), 3);
}

/// IPv4 is read once, and its aliases (6to4, Teredo, mapped) are not IPv6 networks.
#[test]
fn aliases_of_ipv4_are_not_ipv6() {
    for aliasing in [Ipv4Aliasing::Enabled, Ipv4Aliasing::Disabled] {
        let mut writer = Writer::builder("Test").ipv4_aliasing(aliasing).build();
        let row = |code| Value::map([("country_code", text(code))]);
        fill(
            &mut writer,
            &[("192.0.2.0/24", row("DE")), ("2001:db8::/32", row("FR"))],
        );
        let bytes = writer.to_bytes().expect("a database");
        let database = parse(&bytes, Path::new("test.mmdb")).expect("a readable database");
        let starts: Vec<_> = database
            .v6
            .iter()
            .map(|&(start, _)| Ipv6Addr::from(start).to_string())
            .collect();
        let expected = ["::", "2001:db8::", "2001:db9::"];
        assert_eq!(starts, expected);
        assert_eq!(database.v4.len(), 3);
    }
}

#[test]
fn every_record_size_and_both_versions() {
    for size in [RecordSize::Bits24, RecordSize::Bits28, RecordSize::Bits32] {
        for version in [IpVersion::V4, IpVersion::V6] {
            let mut writer = Writer::builder("Test")
                .record_size(size)
                .ip_version(version)
                .build();
            fill(
                &mut writer,
                &[("192.0.2.0/25", Value::map([("country_code", text("DE"))]))],
            );
            let bytes = writer.to_bytes().expect("a database");
            let database = parse(&bytes, Path::new("test.mmdb")).expect("a readable database");
            let inside = location("DE", 0, false);
            assert_eq!(at(&database, "192.0.1.255"), Location::default());
            assert_eq!(at(&database, "192.0.2.0"), inside);
            assert_eq!(at(&database, "192.0.2.127"), inside);
            assert_eq!(at(&database, "192.0.2.128"), Location::default());
            assert_eq!(database.v6.len(), 1, "{size:?} {version:?}");
        }
    }
}

/// A record above the place of IPv4 in the tree holds for all of IPv4.
#[test]
fn one_record_for_everything() {
    let database = read(&[("::/0", Value::map([("country_code", text("DE"))]))]);
    for address in ["0.0.0.0", "255.255.255.255", "2001:db8::1"] {
        assert_eq!(
            at(&database, address),
            location("DE", 0, false),
            "{address}"
        );
    }
}

fn error(bytes: &[u8]) -> GeoError {
    parse(bytes, Path::new("some/test.mmdb")).expect_err("an error")
}

#[test]
fn foreign_layouts_are_refused_by_name() {
    let error = error(&file(&[(
        "192.0.2.0/24",
        Value::map([("zone", text("a")), ("isp", text("b"))]),
    )]));
    let message = error.to_string();
    assert!(matches!(error, GeoError::UnknownLayout { .. }), "{message}");
    assert!(message.starts_with("some/test.mmdb: "), "{message}");
    assert!(
        message.contains("isp, zone") && message.contains("Test"),
        "{message}"
    );
}

#[test]
fn empty_databases_and_foreign_values_are_refused() {
    let empty = error(&file(&[]));
    assert!(matches!(empty, GeoError::Empty { .. }), "{empty}");
    let number = Value::map([("country_code", Value::from(49_u32))]);
    let foreign = error(&file(&[("192.0.2.0/24", number)]));
    assert!(matches!(foreign, GeoError::Record { .. }), "{foreign}");
    assert!(foreign.to_string().contains("192.0.2.0"), "{foreign}");
}

#[test]
fn every_truncation_is_an_error() {
    let whole = file(&[("192.0.2.0/24", Value::map([("country_code", text("DE"))]))]);
    for length in 0..whole.len() {
        let error = error(&whole[..length]);
        assert!(
            matches!(error, GeoError::NotMmdb { .. }),
            "{length}: {error}"
        );
    }
}

#[test]
fn garbage_in_the_tree_ends_in_an_error() {
    let whole = file(&[("192.0.2.0/24", Value::map([("country_code", text("DE"))]))]);
    let reader = Reader::from_source(&*whole).expect("a reader");
    let tree = reader.metadata().node_count as usize * 6;

    let mut circle = whole.clone();
    circle[..tree].fill(0);
    let circle = error(&circle);
    assert!(matches!(circle, GeoError::Damaged { .. }), "{circle}");

    let mut beyond = whole.clone();
    beyond[..tree].fill(0xfe);
    let beyond = error(&beyond);
    assert!(matches!(beyond, GeoError::Damaged { .. }), "{beyond}");

    // Each level names the next one twice: few nodes, and more ways than can be walked.
    let mut twice = whole.clone();
    for (level, node) in twice[..tree].chunks_exact_mut(6).enumerate() {
        let [_, a, b, c] = (level as u32 + 1).to_be_bytes();
        node.copy_from_slice(&[a, b, c, a, b, c]);
    }
    let twice = error(&twice);
    assert!(matches!(twice, GeoError::Damaged { .. }), "{twice}");
}

#[test]
fn files_carry_their_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mine.mmdb");
    let missing = Database::open(&path).expect_err("no file");
    assert!(matches!(missing, GeoError::Read { .. }), "{missing}");

    fs::write(
        &path,
        file(&[("192.0.2.0/24", Value::map([("country_code", text("DE"))]))]),
    )
    .expect("written");
    let database = Database::open(&path).expect("a readable database");
    assert_eq!(database.info.name, "mine.mmdb");
    assert_eq!(database.info.path, Some(path));
    assert_eq!(database.info.database_type, "Test");
}
