extern crate std;

use std::{format, string::String};

use super::{MAX_SUFFIX_LABELS, NameKey, Seed, lower};

const SEED: Seed = Seed([0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908]);

fn key(text: &str) -> NameKey {
    NameKey::of_text(text, &SEED).expect("a name")
}

#[test]
fn suffixes_of_a_name_are_those_of_its_tail() {
    let name = key("a.b.c.example.com");
    assert_eq!(name.labels, 5);
    for (labels, tail) in ["com", "example.com", "c.example.com", "b.c.example.com"]
        .into_iter()
        .enumerate()
        .map(|(at, tail)| (at + 1, tail))
    {
        assert_eq!(
            name.below(labels),
            Some(key(tail).suffixes[labels - 1]),
            "{tail}"
        );
    }
    assert_eq!(name.below(5), None, "a wildcard needs a label of its own");
    assert_eq!(name.suffixes[5..], [0; 3]);
}

#[test]
fn more_labels_than_suffixes() {
    let name = key("l11.l10.l9.l8.l7.l6.l5.l4.l3.l2.l1");
    assert_eq!(name.labels, 11);
    assert_eq!(
        name.below(MAX_SUFFIX_LABELS),
        Some(key("l8.l7.l6.l5.l4.l3.l2.l1").suffixes[MAX_SUFFIX_LABELS - 1])
    );
    assert_eq!(name.below(MAX_SUFFIX_LABELS + 1), None);
}

#[test]
fn case_and_the_final_dot_do_not_matter() {
    assert_eq!(key("API.Example.COM."), key("api.example.com"));
    for byte in 0..=u8::MAX {
        assert_eq!(lower(byte), u64::from(byte.to_ascii_lowercase()));
    }
}

#[test]
fn different_names_have_different_hashes() {
    let one = key("ab.c");
    for other in ["a.bc", "abc", "c.ab", "ab.c.c", "ab.d", "a.b.c"] {
        assert_ne!(one.whole, key(other).whole, "{other}");
    }
    assert_ne!(
        key("com").whole,
        key("com").suffixes[0],
        "a name is not a wildcard"
    );
    let other_seed = NameKey::of_text("ab.c", &Seed([1, 2])).expect("a name");
    assert_ne!(one.whole, other_seed.whole);
}

#[test]
fn what_is_no_name() {
    let long_label = "a".repeat(64);
    let four_labels =
        |last: usize| -> String { format!("{0}.{0}.{0}.{1}", "a".repeat(63), "a".repeat(last)) };
    for text in ["", ".", "a..b", ".a", &long_label, &four_labels(62)] {
        assert_eq!(NameKey::of_text(text, &SEED), None, "{text:?}");
    }
    assert!(NameKey::of_text(&four_labels(61), &SEED).is_some());
}
