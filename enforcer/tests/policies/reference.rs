//! `docs/policy-reference.md` knows everything that the program knows.

use enforcer::{
    geo::SpecialRange,
    policy::{Code, Providers, Regions},
};
use enforcer_common::verdict::Reason;
use jiff::civil::date;

use crate::render;

const REFERENCE: &str = include_str!("../../../docs/policy-reference.md");

fn assert_row(row: &str) {
    let found = REFERENCE.lines().any(|line| line.starts_with(row));
    assert!(found, "docs/policy-reference.md has no row `{row}`");
}

#[test]
fn every_finding_has_a_row() {
    for (code, severity, name) in Code::ALL {
        let (severity, meaning) = (severity.as_str(), code.meaning());
        assert_row(&format!("| `{name}` | {severity} | {meaning} |"));
    }
}

#[test]
fn every_reason_has_a_row() {
    for reason in (0..=u8::MAX).filter_map(Reason::from_byte) {
        assert_row(&format!("| `{}` | ", reason.as_str()));
    }
}

#[test]
fn every_range_has_a_row() {
    for (_, name) in SpecialRange::ALL {
        assert_row(&format!("| `{name}` | "));
    }
}

#[test]
fn every_built_in_provider_has_a_row() {
    let regions = Regions::built_in(date(2026, 11, 22)).expect("the data files are sound");
    let providers = Providers::built_in(&regions).expect("the data files are sound");
    for provider in providers.iter() {
        assert_row(&format!("| `{}` | ", provider.name));
    }
}

#[test]
fn every_built_in_region_has_its_members() {
    let today = date(2026, 11, 22);
    let regions = Regions::built_in(today).expect("the data files are sound");
    for region in regions.iter() {
        let members = render::countries(&region.countries(today));
        assert_row(&format!("| `{}` | {members} | ", region.name));
    }
}
