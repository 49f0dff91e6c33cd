//! Which files are read, and how findings look.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use enforcer::policy::{Code, Diagnostics, Loaded, load};
use tempfile::TempDir;

const LIMIT: usize = 16 << 20;

fn policy(name: &str) -> String {
    format!(
        "apiVersion: enforcer.dev/v1alpha1\nkind: EgressPolicy\nmetadata: {{name: {name}}}\n\
         spec:\n  selector: [{{exec: true}}]\n"
    )
}

fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, text).expect("a file");
    }
    directory
}

fn names(loaded: &Loaded) -> Vec<String> {
    let policies = loaded.policies.iter();
    policies.map(|policy| policy.name.to_string()).collect()
}

fn codes(diagnostics: &Diagnostics) -> Vec<Code> {
    diagnostics.iter().map(|one| one.code()).collect()
}

fn load_one(path: &Path) -> Result<Loaded, Diagnostics> {
    load(&[path.to_owned()])
}

#[test]
fn directories_are_read_in_the_order_of_names() {
    let directory = directory(&[
        ("b.yaml", &policy("b")),
        ("a.yml", &policy("a")),
        ("c/d.yaml", &policy("d")),
        ("README.md", "not a policy"),
        (".hidden.yaml", "not a policy"),
        ("..data/old.yaml", &policy("old")),
    ]);
    let loaded = load_one(directory.path()).expect("policies");
    assert_eq!(names(&loaded), ["a", "b", "d"]);
}

#[test]
fn a_mounted_config_map_is_read_once() {
    let directory = directory(&[("..2026_11_22/a.yaml", &policy("a"))]);
    symlink("..2026_11_22", directory.path().join("..data")).expect("a link");
    symlink("..data/a.yaml", directory.path().join("a.yaml")).expect("a link");
    symlink(".", directory.path().join("loop")).expect("a link");
    let paths = [directory.path().to_owned(), directory.path().join("a.yaml")];
    assert_eq!(names(&load(&paths).expect("a policy")), ["a"]);
}

#[test]
fn files_that_cannot_be_read() {
    let directory = directory(&[("large.yaml", &"#".repeat(LIMIT + 1))]);
    symlink("nowhere", directory.path().join("dangling.yaml")).expect("a link");
    let missing = directory.path().join("missing.yaml");
    let paths = [
        directory.path().to_owned(),
        missing,
        PathBuf::from("/dev/zero"),
    ];
    let diagnostics = load(&paths).expect_err("nothing to read");
    assert_eq!(
        codes(&diagnostics),
        [
            Code::Unreadable,
            Code::TooLarge,
            Code::Unreadable,
            Code::TooLarge
        ]
    );
    let first = diagnostics.iter().next().expect("a finding").finding();
    assert!(first.file.ends_with("dangling.yaml"), "{}", first.file);
}

#[test]
fn an_empty_directory_is_suspicious() {
    let directory = directory(&[("README.md", "not a policy")]);
    let loaded = load_one(directory.path()).expect("nothing wrong");
    assert_eq!(codes(&loaded.warnings), [Code::EmptyDirectory]);
}

#[test]
fn names_are_unique_across_files() {
    let directory = directory(&[("a.yaml", &policy("same")), ("b.yaml", &policy("same"))]);
    let diagnostics = load_one(directory.path()).expect_err("two of a name");
    assert_eq!(codes(&diagnostics), [Code::DuplicateName]);
    let text = diagnostics.to_string();
    for place in ["a.yaml:3:18", "b.yaml:3:18"] {
        assert!(text.contains(place), "{text}");
    }
}

#[test]
fn a_byte_order_mark_is_no_content() {
    let directory = directory(&[("a.yaml", &format!("\u{feff}{}", policy("a")))]);
    assert_eq!(names(&load_one(directory.path()).expect("a policy")), ["a"]);
}

#[test]
fn regions_of_any_file_are_known_to_all() {
    let region = policy("home").replace("EgressPolicy", "Region").replace(
        "selector: [{exec: true}]",
        "members: [{countries: [DE]}, {countries: [FR], validUntil: 2020-01-01}]",
    );
    let user = policy("user") + "  rules: [{name: r, action: allow, peers: [{regions: [home]}]}]\n";
    let directory = directory(&[("a.yaml", &user), ("b.yaml", &region)]);
    let loaded = load_one(directory.path()).expect("a policy");
    assert_eq!(codes(&loaded.warnings), [Code::RegionValidity]);
    let set = loaded.policies[0].rules[0].peers[0]
        .regions
        .expect("regions");
    assert_eq!(crate::render::countries(&set), "DE");
}

#[test]
fn findings_show_the_line_and_the_fix() {
    let text = policy("a") + "  rules:\n    - name: one\n      action: alow\n      name: two\n";
    let directory = directory(&[("a.yaml", &text)]);
    let path = directory.path().join("a.yaml");
    let diagnostics = load_one(&path).expect_err("misspelled");
    let expected = "\
error[unknown-value]: `alow` is not a value of `action`
 --> a.yaml:8:15
  |
8 |       action: alow
  |               ^^^^
  |
  = help: did you mean `allow`?

error[duplicate-field]: field `name` is given twice
 --> a.yaml:9:7
  |
9 |       name: two
  |       ^^^^
  |
 ::: a.yaml:7:7
  |
7 |     - name: one
  |       ---- first given here

2 errors";
    let shown = diagnostics.to_string();
    assert_eq!(
        shown.replace(path.to_str().expect("a plain path"), "a.yaml"),
        expected
    );
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let text = policy("a") + "  mode: \"\\e[31mred\u{9b}31m\"\n";
    let directory = directory(&[("a.yaml", &text)]);
    let shown = load_one(directory.path()).expect_err("no mode").to_string();
    let control = |c: char| c.is_control() && c != '\n';
    assert!(!shown.contains(control), "{shown:?}");
}

#[test]
fn everything_on_one_line_is_located_without_showing_it() {
    let rules = "{name: r, action: alow}, ".repeat(20_000);
    let text = policy("a") + "  rules: [" + &rules + "]\n";
    let directory = directory(&[("a.yaml", &text)]);
    let diagnostics = load_one(directory.path()).expect_err("misspelled");
    assert_eq!(diagnostics.errors(), 20_000 + 19_999);
    let shown = diagnostics.to_string();
    assert!(shown.contains("a.yaml:6:30"), "{shown}");
    assert!(shown.len() < 50_000);
    assert!(
        shown.ends_with("and 39899 more, which the JSON form lists\n39999 errors"),
        "{shown}"
    );
}

#[test]
fn long_values_are_not_quoted_in_full() {
    let text = policy("a") + "  mode: " + &"x".repeat(1 << 20) + "\n";
    let directory = directory(&[("a.yaml", &text)]);
    let diagnostics = load_one(directory.path()).expect_err("no mode");
    let message = diagnostics
        .iter()
        .next()
        .expect("a finding")
        .message()
        .to_owned();
    assert!(message.len() < 500 && message.ends_with('…'), "{message}");
}
