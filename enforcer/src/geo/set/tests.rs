use std::{
    net::IpAddr,
    time::{Duration, UNIX_EPOCH},
};

use enforcer_common::abi::Addr;

use super::{Agreement, GeoSet};
use crate::geo::{
    Asn, CountryCode, CountrySet, Database, DatabaseInfo, Location, LocationId, SpecialRange,
};

fn country(code: &str) -> Option<CountryCode> {
    CountryCode::parse(code)
}

fn is_in(codes: &[&str], anycast_allowed: bool, agreement: Agreement) -> bool {
    let eu: CountrySet = ["DE", "FR"]
        .iter()
        .filter_map(|code| country(code))
        .collect();
    // A star marks anycast.
    let locations: Vec<_> = codes
        .iter()
        .map(|code| Location {
            country: country(code.trim_end_matches('*')),
            asn: None,
            anycast: code.ends_with('*'),
        })
        .collect();
    GeoSet::in_countries(&locations, &eu, anycast_allowed, agreement)
}

#[test]
fn agreement() {
    // Answers of the databases, and whether that is in {DE, FR} by `all` and by `any`.
    let cases: &[(&[&str], bool, bool)] = &[
        (&[], false, false),
        (&[""], false, false),
        (&["", ""], false, false),
        (&["DE"], true, true),
        (&["US"], false, false),
        (&["DE", ""], true, true),
        (&["", "DE"], true, true),
        (&["", "US"], false, false),
        (&["DE", "DE"], true, true),
        (&["DE", "FR"], true, true),
        (&["DE", "US"], false, true),
        (&["US", "DE"], false, true),
        (&["US", "GB"], false, false),
        (&["DE", "FR", "US"], false, true),
        (&["DE", "", "US"], false, true),
    ];
    for &(codes, all, any) in cases {
        for anycast_allowed in [false, true] {
            assert_eq!(
                is_in(codes, anycast_allowed, Agreement::All),
                all,
                "{codes:?} all"
            );
            assert_eq!(
                is_in(codes, anycast_allowed, Agreement::Any),
                any,
                "{codes:?} any"
            );
        }
    }
}

#[test]
fn anycast_by_any_database_is_in_no_set_unless_allowed() {
    for codes in [&["DE*"][..], &["DE*", "DE"], &["DE", "FR*"], &["DE", "*"]] {
        for agreement in [Agreement::All, Agreement::Any] {
            assert!(!is_in(codes, false, agreement), "{codes:?}");
            assert!(is_in(codes, true, agreement), "{codes:?}");
        }
    }
    assert!(!is_in(&["*"], true, Agreement::Any));
    assert!(!is_in(&["US*"], true, Agreement::All));
}

/// All addresses of both families are in one place.
fn database(name: &str, location: Location) -> Database {
    Database {
        info: DatabaseInfo {
            name: name.to_owned(),
            path: None,
            database_type: "Test".to_owned(),
            built: UNIX_EPOCH + Duration::from_secs(100 * 24 * 60 * 60),
            has_countries: location.country.is_some(),
            has_asns: location.asn.is_some(),
            has_anycast: location.anycast,
            attribution: String::new(),
        },
        locations: vec![Location::default(), location],
        v4: vec![(0, LocationId(1))],
        v6: vec![(0, LocationId(0)), (1 << 125, LocationId(1))],
        as_names: Default::default(),
    }
}

fn at(code: &str, asn: Option<u32>, anycast: bool) -> Location {
    Location {
        country: country(code),
        asn: asn.map(Asn),
        anycast,
    }
}

fn addr(text: &str) -> Addr {
    match text.parse().expect(text) {
        IpAddr::V4(v4) => Addr::from_v4(v4.octets()),
        IpAddr::V6(v6) => Addr::from_v6(v6.octets()),
    }
}

fn set(databases: Vec<Database>) -> GeoSet {
    GeoSet {
        databases,
        agreement: Agreement::All,
    }
}

#[test]
fn what_is_known_together() {
    let set = set(vec![
        database("asn", at("", Some(64_496), false)),
        database("one", at("DE", None, false)),
        database("two", at("FR", Some(64_497), true)),
    ]);
    let located = set.locate(addr("198.41.0.4"));
    assert_eq!(located.special, None);
    assert_eq!(located.country, country("DE"));
    assert!(!located.countries_agree);
    assert_eq!(located.asn, Some(Asn(64_496)));
    assert!(located.anycast);
    let said: Vec<_> = located
        .answers
        .iter()
        .map(|answer| (answer.database.name.as_str(), answer.location.country))
        .collect();
    assert_eq!(
        said,
        [
            ("asn", None),
            ("one", country("DE")),
            ("two", country("FR"))
        ]
    );
}

#[test]
fn embedded_ipv4_is_what_is_located() {
    let set = set(vec![database("one", at("DE", None, false))]);
    let metadata = Some(SpecialRange::Metadata);
    for text in [
        "::ffff:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "2002:a9fe:a9fe::1",
        "2001:0:102:304:0:0:5601:5601",
        "fe80::5efe:169.254.169.254",
    ] {
        let located = set.locate(addr(text));
        assert_eq!(located.judged, addr("169.254.169.254"), "{text}");
        assert_eq!((located.special, located.also), (metadata, None), "{text}");
    }
    let isatap = addr("2600::5efe:10.0.0.1");
    let located = set.locate(isatap);
    assert_eq!(located.judged, addr("10.0.0.1"));
    assert_eq!(located.also, Some(isatap));
    assert_eq!(set.locate_as_written(isatap).country, country("DE"));
}

#[test]
fn old_databases_and_missing_countries_are_warnings() {
    let built = UNIX_EPOCH + Duration::from_secs(100 * 24 * 60 * 60);
    let set_of = |location| set(vec![database("mine.mmdb", location)]);
    let good = set_of(at("DE", None, false));
    assert_eq!(
        good.warnings(built + DatabaseInfo::MAX_AGE),
        Vec::<String>::new()
    );
    assert_eq!(good.warnings(UNIX_EPOCH), Vec::<String>::new());
    let old = good.warnings(built + DatabaseInfo::MAX_AGE + Duration::from_secs(24 * 60 * 60));
    assert_eq!(old.len(), 1);
    assert!(old[0].contains("mine.mmdb is 46 days old"), "{old:?}");
    let blind = set_of(at("", Some(64_496), false)).warnings(built);
    assert!(
        blind.len() == 1 && blind[0].contains("countries"),
        "{blind:?}"
    );
}
