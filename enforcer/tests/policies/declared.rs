//! What is said about declared flows.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    path::PathBuf,
    time::UNIX_EPOCH,
};

use enforcer::{
    declared,
    geo::{
        Agreement, AsNames, Asn, CountryCode, Database, DatabaseInfo, GeoSet, Location, LocationId,
    },
    policy::{Code, Diagnostic, Minute, Severity, load_at, load_with_flows_at},
};
use jiff::civil::date;

use crate::{findings, golden};

fn now() -> Minute {
    Minute::start_of(date(2026, 11, 22))
}

fn corpus(name: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.join("tests/policies/declared").join(name)
}

/// Two databases that agree on 3.64.0.0/16 (DE) and 5.0.0.0/16 (US), and disagree on 4.0.0.0/16.
fn geo(agreement: Agreement) -> GeoSet {
    let v4 = |text: &str| text.parse::<Ipv4Addr>().expect("IPv4").to_bits();
    let v6 = |text: &str| text.parse::<Ipv6Addr>().expect("IPv6").to_bits();
    let place = |country, asn| Location {
        country: CountryCode::parse(country),
        asn: Some(Asn(asn)),
        anycast: false,
    };
    let database = |name: &str, v4: &[(u32, u32)], v6: &[(u128, u32)]| Database {
        info: DatabaseInfo {
            name: name.to_owned(),
            path: None,
            database_type: "Fixed".to_owned(),
            built: UNIX_EPOCH,
            has_countries: true,
            has_asns: true,
            has_anycast: true,
            attribution: String::new(),
        },
        locations: vec![Location::default(), place("DE", 64500), place("US", 64501)],
        v4: v4
            .iter()
            .map(|&(start, id)| (start, LocationId(id)))
            .collect(),
        v6: v6
            .iter()
            .map(|&(start, id)| (start, LocationId(id)))
            .collect(),
        as_names: AsNames::default(),
    };
    let first = database(
        "first",
        &[
            (0, 0),
            (v4("3.64.0.0"), 1),
            (v4("3.65.0.0"), 0),
            (v4("4.0.0.0"), 1),
            (v4("4.1.0.0"), 0),
            (v4("5.0.0.0"), 2),
            (v4("5.1.0.0"), 1),
            (v4("5.2.0.0"), 0),
        ],
        &[(0, 0), (v6("2600:1f14::"), 1), (v6("2600:1f15::"), 0)],
    );
    let second = database(
        "second",
        &[(0, 0), (v4("4.0.0.0"), 2), (v4("4.1.0.0"), 0)],
        &[(0, 0)],
    );
    GeoSet {
        databases: vec![first, second],
        agreement,
    }
}

#[test]
fn declared_flows() {
    let loaded = load_at(&[corpus("flows.yaml")], now()).expect("sound");
    let embedded = |one: &Diagnostic| one.code() == Code::NeverMatches;
    assert!(loaded.warnings.iter().all(embedded), "{}", loaded.warnings);
    for (agreement, name) in [(Agreement::All, "all"), (Agreement::Any, "any")] {
        let found = declared::findings(&loaded, &geo(agreement), now()).expect("it fits");
        let directory = corpus("").display().to_string();
        let text = findings::listing(&found).replace(&directory, "");
        golden::check(&format!("declared/{name}.txt"), &text);
    }
}

#[test]
fn every_kind_of_finding_about_flows_occurs() {
    let loaded = load_at(&[corpus("flows.yaml")], now()).expect("sound");
    let found = declared::findings(&loaded, &geo(Agreement::All), now()).expect("it fits");
    for (code, severity, name) in Code::ALL {
        let about_flows = name.starts_with("flow-");
        let occurs = found.iter().any(|finding| finding.code() == code);
        assert_eq!(about_flows, occurs, "{name}");
        if about_flows {
            assert_eq!(severity == Severity::Warning, code == Code::FlowWouldDeny);
        }
    }
    assert!(found.iter().all(|one| !one.message().contains("`fine")));
}

#[test]
fn flow_files_add_no_policies() {
    let now = now();
    let file = corpus("flows.yaml");
    let alone = load_with_flows_at(&[], std::slice::from_ref(&file), now);
    let refused = alone.expect_err("it has policies");
    let misplaced = |one: &&Diagnostic| one.code() == Code::UnknownValue;
    assert_eq!(refused.iter().filter(misplaced).count(), 4);

    // As a policy file it may hold both, and is read once however often it is named.
    let files = std::slice::from_ref(&file);
    let both = load_with_flows_at(files, files, now);
    assert_eq!(both.expect("sound").flows.len(), 8);
}

#[test]
fn the_examples_declare_what_their_policies_permit() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../policies");
    let loaded = load_at(&[root], now()).expect("sound");
    assert!(!loaded.flows.is_empty());
    let built_in = GeoSet::open(&[], Agreement::All).expect("the database");
    let found = declared::findings(&loaded, &built_in, now()).expect("it fits");
    assert!(found.is_empty(), "{found}");
}
