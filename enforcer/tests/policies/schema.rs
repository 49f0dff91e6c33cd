//! The published JSON Schema and the reader agree.
//!
//! The reader is written by hand, for its findings; the schema is a file, for editors. What keeps
//! them together is this: complete documents are changed at every place in every way that matters,
//! and both must reject the same ones, but for what no schema can say.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use enforcer::policy::{Code, Diagnostics, Loaded, SCHEMA, Severity, load_on};
use jiff::civil::date;
use jsonschema::Validator;
use serde_json::Value;

use crate::{findings, mutations, yaml};

/// Findings that no schema can make, and why.
const BEYOND_A_SCHEMA: &[(Code, &str)] = &[
    (Code::HostBits, "needs arithmetic"),
    (Code::DuplicateName, "needs the other documents"),
    (Code::UnknownRegion, "needs the other documents"),
    (Code::UnknownProvider, "needs the other documents"),
    (Code::NoResolvers, "needs another field of the policy"),
    (Code::OtherNamespace, "needs another field of the policy"),
    (Code::TooMany, "a limit of the program"),
];

/// Broken documents that a schema accepts although their findings are of other kinds.
const BEYOND_PATTERNS: &[(&str, &str)] = &[(
    "region-members",
    "a day that a month does not have; an order of dates",
)];

/// Findings about the text, before there is anything that a schema could be asked about.
const OF_THE_TEXT: &[Code] = &[
    Code::NotUtf8,
    Code::Empty,
    Code::Syntax,
    Code::TooDeep,
    Code::YamlFeature,
    Code::DuplicateField,
];

fn validator() -> Validator {
    let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    jsonschema::draft7::meta::validate(&schema).expect("the schema is a schema");
    jsonschema::draft7::new(&schema).expect("the schema compiles")
}

fn read(path: &Path) -> Result<Loaded, Diagnostics> {
    load_on(&[path.to_owned()], date(2026, 11, 22))
}

/// Codes of the errors, by the line they stand in.
fn errors(diagnostics: &Diagnostics) -> BTreeMap<u32, Vec<Code>> {
    let mut errors: BTreeMap<u32, Vec<Code>> = BTreeMap::new();
    for finding in diagnostics {
        if finding.severity() == Severity::Error {
            let line = finding.position().line;
            errors.entry(line).or_default().push(finding.code());
        }
    }
    errors
}

fn examples() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies");
    let loaded = load_on(&[root], date(2026, 11, 22)).expect("the examples are sound");
    let files = loaded.warnings.files().iter();
    files.map(|file| file.to_path_buf()).collect()
}

#[test]
fn both_accept_every_example() {
    let validator = validator();
    let files = examples();
    assert!(files.len() > 10);
    for file in files {
        for document in yaml::documents(&fs::read_to_string(&file).expect("readable")) {
            let errors: Vec<String> = validator
                .iter_errors(&document)
                .map(|error| error.to_string())
                .collect();
            assert!(errors.is_empty(), "{}: {errors:?}", file.display());
        }
    }
}

#[test]
fn every_example_names_the_schema() {
    for file in examples() {
        let text = fs::read_to_string(&file).expect("readable");
        let first = text.lines().next().expect("not empty");
        let path = first
            .strip_prefix("# yaml-language-server: $schema=")
            .unwrap_or_else(|| panic!("{} does not name its schema", file.display()));
        let schema = file.parent().expect("a directory").join(path);
        let named = fs::read_to_string(&schema).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(named == SCHEMA, "{}", file.display());
    }
}

#[test]
fn the_schema_rejects_what_the_reader_rejects() {
    let validator = validator();
    let mut beyond: Vec<&str> = Vec::new();
    for path in findings::corpus("broken") {
        let name = findings::stem(&path);
        let codes: Vec<Code> = errors(&read(&path).expect_err("broken"))
            .into_values()
            .flatten()
            .collect();
        let of_text = codes.iter().any(|code| OF_THE_TEXT.contains(code));
        let is_beyond = |code: &Code| BEYOND_A_SCHEMA.iter().any(|(other, _)| other == code);
        if of_text || codes.iter().all(is_beyond) {
            continue;
        }
        let text = fs::read_to_string(&path).expect("text");
        let rejected = yaml::documents(&text)
            .iter()
            .any(|document| !validator.is_valid(document));
        match BEYOND_PATTERNS.iter().find(|(other, _)| *other == name) {
            Some((name, _)) => beyond.push(name),
            None => assert!(rejected, "the schema accepts {name}"),
        }
    }
    assert_eq!(beyond.len(), BEYOND_PATTERNS.len());
}

/// Every change of every complete document, in one file with a line for each.
#[test]
fn schema_and_reader_reject_the_same_changes() {
    let validator = validator();
    let changed: Vec<Value> = mutations::all();
    assert!(changed.len() > 2000, "only {} changes", changed.len());
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("changed.yaml");
    let lines: Vec<String> = changed
        .iter()
        .map(|document| format!("--- {document}"))
        .collect();
    fs::write(&path, lines.join("\n")).expect("written");
    let errors = match read(&path) {
        Ok(_) => panic!("every change is accepted"),
        Err(diagnostics) => errors(&diagnostics),
    };
    let mut disagreements = Vec::new();
    for (index, document) in changed.iter().enumerate() {
        let codes = errors.get(&(index as u32 + 1));
        let accepted = validator.is_valid(document);
        match codes {
            None if !accepted => {
                let why = validator.iter_errors(document).next();
                let why = why.map_or_else(String::new, |error| error.to_string());
                disagreements.push(format!("only the schema rejects: {why}\n  {document}"));
            }
            Some(codes) if accepted => {
                let is_beyond =
                    |code: &Code| BEYOND_A_SCHEMA.iter().any(|(other, _)| other == code);
                if !codes.iter().any(is_beyond) && !mutations::is_beyond_a_pattern(document) {
                    let codes: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
                    disagreements.push(format!("only the reader rejects: {codes:?}\n  {document}"));
                }
            }
            _ => {}
        }
    }
    let shown: Vec<&String> = disagreements.iter().take(20).collect();
    assert!(
        disagreements.is_empty(),
        "{} disagreements: {shown:#?}",
        disagreements.len()
    );
}

/// What the reader says it knows, asked with a field that nobody would name.
#[test]
fn both_know_the_same_fields() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
    let definitions = schema["$defs"].as_object().expect("definitions");
    let described: BTreeMap<&str, Vec<&str>> = definitions
        .iter()
        .filter_map(|(name, definition)| {
            let fields = definition["properties"].as_object()?.keys();
            let mut fields: Vec<&str> = fields.map(String::as_str).collect();
            fields.sort_unstable();
            Some((name.as_str(), fields))
        })
        .collect();
    let mut left: BTreeSet<&str> = described.keys().copied().collect();
    let documents = mutations::with_unknown_fields();
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("unknown.yaml");
    let lines: Vec<String> = documents
        .iter()
        .map(|document| format!("--- {document}"))
        .collect();
    fs::write(&path, lines.join("\n")).expect("written");
    let diagnostics = read(&path).expect_err("unknown fields");
    for finding in diagnostics
        .iter()
        .filter(|one| one.code() == Code::UnknownField)
    {
        let help = finding.help_text().expect("it says what is known");
        let known = help.strip_prefix("known fields: ").expect("a list");
        let mut known: Vec<&str> = known.split(", ").collect();
        known.sort_unstable();
        let same = described.iter().filter(|(_, fields)| **fields == known);
        let same: Vec<&str> = same.map(|(name, _)| *name).collect();
        assert!(
            !same.is_empty(),
            "no definition has the fields {known:?}: {}",
            finding.message()
        );
        left.retain(|name| !same.contains(name));
    }
    assert!(left.is_empty(), "the reader knows nothing of {left:?}");
}
