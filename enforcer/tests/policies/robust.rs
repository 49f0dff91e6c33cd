//! Whatever stands in a file, the reader answers: it neither panics nor takes forever.

use std::fs;

use enforcer::policy::{Code, load};
use proptest::prelude::*;

/// Pieces that policies and YAML are made of, so that random texts get past the parser.
const PIECES: [&str; 48] = [
    "apiVersion: enforcer.dev/v1alpha1\n",
    "kind: EgressPolicy\n",
    "kind: Region\n",
    "metadata: {name: a}\n",
    "spec:\n",
    "  selector: [{exec: true}]\n",
    "  selector:\n    - cgroups: [/llm/**]\n",
    "  rules:\n",
    "    - name: one\n",
    "      action: allow\n",
    "      peers:\n",
    "        - regions: [eea]\n",
    "          countries: [CH]\n",
    "          cidrs: [10.0.0.0/8, \"::/0\"]\n",
    "          except: [10.0.0.1]\n",
    "          asns: [13335]\n",
    "          ranges: [metadata]\n",
    "      ports: [443/tcp, icmp]\n",
    "  members: [{countries: [DE], validUntil: 2030-01-01}]\n",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "# comment\n",
    "- ",
    ": ",
    "? ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    "\n",
    "\r\n",
    "\r",
    "\t",
    "    ",
    "\"",
    "'",
    "|\n",
    ">-\n",
    "&a ",
    "*a",
    "!!str ",
    "<<",
    "~",
    "\u{feff}",
    "\u{85}",
    "größe 🇨🇭",
];

fn answer(text: &[u8]) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a.yaml");
    fs::write(&path, text).expect("a file");
    match load(&[path]) {
        Ok(loaded) => drop(loaded.warnings.to_string()),
        Err(diagnostics) => {
            assert!(diagnostics.errors() > 0);
            drop(diagnostics.to_string());
            for diagnostic in &diagnostics {
                let finding = diagnostic.finding();
                let (start, end) = (
                    (finding.line, finding.column),
                    (finding.end_line, finding.end_column),
                );
                assert!((1, 1) <= start && start <= end, "{finding:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_arrangement_of_pieces(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..60)) {
        answer(pieces.concat().as_bytes());
    }

    #[test]
    fn a_policy_with_a_change(at in 0usize..2000, piece in prop::sample::select(&PIECES[..]), cut in 0usize..40) {
        let mut text: Vec<char> = include_str!("../../../policies/sovereign-llm.yaml").chars().collect();
        let start = at.min(text.len());
        let end = (start + cut).min(text.len());
        text.splice(start..end, piece.chars());
        answer(text.into_iter().collect::<String>().as_bytes());
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        answer(&bytes);
    }
}

#[test]
fn deep_nesting_of_every_kind() {
    for (open, unit) in [("a: ", "["), ("", "{a: "), ("", "- "), ("", "? ")] {
        answer((open.to_owned() + &unit.repeat(100_000)).as_bytes());
    }
}

/// A generated block list, and one that is wrong throughout.
#[test]
fn a_hundred_thousand_networks_load() {
    let mut text = String::from(
        "apiVersion: enforcer.dev/v1alpha1\nkind: EgressPolicy\nmetadata: {name: large}\nspec:\n  \
         selector: [{exec: true}]\n  rules:\n    - name: blocked\n      action: deny\n      peers:\n        \
         - cidrs:\n",
    );
    for number in 0u32..100_000 {
        let [_, a, b, c] = (number << 4).to_be_bytes();
        text += &format!("            - 20.{a}.{b}.{c}/28\n").replace("20.0.", "20.1.");
    }
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("large.yaml");
    fs::write(&path, &text).expect("a file");
    let loaded = load(std::slice::from_ref(&path)).expect("sound");
    let cidrs = loaded.policies[0].rules[0].peers[0].cidrs.as_ref();
    assert_eq!(cidrs.map(Vec::len), Some(100_000));

    fs::write(&path, text.replace("/28", "/27")).expect("a file");
    let diagnostics = load(&[path]).expect_err("every second network has host bits");
    assert!(diagnostics.iter().all(|one| one.code() == Code::HostBits));
    assert_eq!(diagnostics.errors(), 50_000);
    assert!(diagnostics.to_string().len() < 100_000);
}
