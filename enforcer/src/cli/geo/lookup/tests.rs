use std::{fs, time::UNIX_EPOCH};

use mmdb_writer::{Value, Writer, ipnet::IpNet};

use super::Report;
use crate::geo::{Agreement, Database, GeoSet};

/// Everything is in `country`, with an ASN.
fn database(name: &str, country: &str, anycast: bool) -> Database {
    let everything: IpNet = "::/0".parse().expect("a network");
    let record = Value::map([
        ("country_code", Value::from(country)),
        ("autonomous_system_number", Value::from(64_496_u32)),
        ("is_anycast", Value::from(anycast)),
    ]);
    let mut writer = Writer::builder("Test").build_epoch(UNIX_EPOCH).build();
    writer.insert_value(everything, record).expect("room");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    fs::write(&path, writer.to_bytes().expect("a database")).expect("written");
    Database::open(&path).expect("a readable database")
}

fn report(databases: Vec<Database>, address: &str) -> (String, serde_json::Value) {
    let set = GeoSet {
        databases,
        agreement: Agreement::All,
    };
    let report = Report::of(&set, address.parse().expect(address)).expect("a report");
    let mut text = Vec::new();
    report.write(&mut text).expect("memory");
    let text = String::from_utf8(text).expect("UTF-8");
    (text, serde_json::to_value(&report).expect("JSON"))
}

#[test]
fn each_database_and_what_they_say_together() {
    let databases = vec![database("one", "DE", false), database("two", "", true)];
    let (text, json) = report(databases, "192.168.0.1");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines,
        [
            "address   192.168.0.1",
            "range     private: special-purpose, in no region",
            "country   DE",
            "asn       AS64496 ",
            "anycast   yes: in no region unless a peer says `anycast: allow`",
            "says      DE AS64496: one, built 1970-01-01T00:00:00Z",
            "says      ZZ AS64496 anycast: two, built 1970-01-01T00:00:00Z",
        ]
        .map(str::trim_end)
    );
    assert_eq!(json["country"], "DE");
    assert_eq!(json["range"], "private");
    assert_eq!(json["databases"][1]["country"], "ZZ");
    assert_eq!(json.get("also"), None);
}

#[test]
fn embedded_addresses_and_disagreement_are_said() {
    let databases = || vec![database("one", "DE", false), database("two", "US", false)];
    let (text, json) = report(databases(), "64:ff9b::192.0.2.1");
    assert!(text.contains("judged as 192.0.2.1\n"), "{text}");
    assert!(text.contains("DE (the databases disagree)"), "{text}");
    assert_eq!(json["judged"], "192.0.2.1");
    assert_eq!(json["countries_agree"], false);

    let (text, json) = report(databases(), "2600::5efe:192.0.2.1");
    assert!(text.contains("must be permitted too"), "{text}");
    assert_eq!(json["judged"], "192.0.2.1");
    assert_eq!(json["also"]["judged"], "2600::5efe:c000:201");
}
