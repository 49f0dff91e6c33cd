//! What the built-in regions promise.

use enforcer::{
    geo::CountrySet,
    policy::{Region, Regions},
};
use jiff::civil::{Date, date};

use crate::{golden, render};

const TODAY: Date = date(2026, 11, 22);

fn built_in(today: Date) -> Regions {
    Regions::built_in(today).expect("the data files are sound")
}

fn countries(name: &str, day: Date) -> CountrySet {
    let regions = built_in(day);
    regions.get(name).expect("it is built in").countries(day)
}

fn has(set: &CountrySet, code: &str) -> bool {
    set.iter().any(|country| country.as_str() == code)
}

#[test]
fn members_and_what_they_rest_on() {
    let text: String = built_in(TODAY).iter().map(render::region).collect();
    golden::check("regions.txt", &text);
}

#[test]
fn every_member_has_a_source_and_was_checked() {
    let regions = built_in(TODAY);
    assert_eq!(regions.iter().count(), 6);
    for member in regions.iter().flat_map(|region| &region.members) {
        assert!(member.source.is_some(), "{}", member.country);
        assert!(member.checked.is_some(), "{}", member.country);
    }
}

#[test]
fn only_the_conditional_region_has_conditions() {
    for region in built_in(TODAY).iter() {
        let conditional = &*region.name == "eu-adequate-conditional";
        let all = |region: &Region, wanted| {
            let mut members = region.members.iter();
            members.all(|member| member.condition.is_some() == wanted)
        };
        assert!(all(region, conditional), "{}", region.name);
    }
}

#[test]
fn the_union_is_in_the_eea_and_switzerland_is_not() {
    let (eu, eea) = (countries("eu", TODAY), countries("eea", TODAY));
    assert_eq!(eu.iter().count(), 27 + 7);
    assert!(eu.iter().all(|country| eea.contains(country)));
    for code in ["CH", "GB", "GL", "SJ", "US", "NC"] {
        assert!(!has(&eea, code), "{code}");
    }
}

#[test]
fn adequate_never_means_the_united_states() {
    for region in built_in(TODAY).iter() {
        let expected = &*region.name == "eu-adequate-conditional";
        assert_eq!(
            has(&region.countries(TODAY), "US"),
            expected,
            "{}",
            region.name
        );
    }
}

#[test]
fn the_united_kingdom_leaves_when_its_decision_ends() {
    let (last, after) = (date(2031, 12, 27), date(2031, 12, 28));
    assert!(has(&countries("eu-adequate", last), "GB"));
    assert!(!has(&countries("eu-adequate", after), "GB"));
    assert_eq!(built_in(TODAY).next_change(), Some(after));
    assert_eq!(built_in(after).next_change(), None);
}
