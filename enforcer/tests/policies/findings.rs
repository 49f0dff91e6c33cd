//! What is said about broken and doubtful documents.

use std::{
    fs,
    path::{Path, PathBuf},
};

use enforcer::policy::{Diagnostics, Finding, Loaded, load_on};
use jiff::civil::date;

use crate::{golden, render};

fn load_document(path: &Path) -> Result<Loaded, Diagnostics> {
    load_on(&[path.to_owned()], date(2026, 11, 22))
}

pub(crate) fn corpus(name: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/policies")
        .join(name);
    let listed = fs::read_dir(directory).expect("the corpus");
    let mut paths: Vec<PathBuf> = listed
        .map(|entry| entry.expect("the corpus").path())
        .collect();
    paths.sort();
    paths
}

pub(crate) fn stem(path: &Path) -> String {
    path.file_stem()
        .expect("a name")
        .to_string_lossy()
        .into_owned()
}

/// Code, place and wording; the files of the corpus are in directories that differ.
pub(crate) fn listing(diagnostics: &Diagnostics) -> String {
    let line = |finding: Finding| {
        let mut line = format!(
            "{}:{}-{}:{} {} {}: {}\n",
            finding.line,
            finding.column,
            finding.end_line,
            finding.end_column,
            finding.severity.as_str(),
            finding.code.as_str(),
            finding.message
        );
        if let Some(help) = finding.help {
            line += &format!("    {help}\n");
        }
        line
    };
    diagnostics.iter().map(|one| line(one.finding())).collect()
}

#[test]
fn broken_documents() {
    let paths = corpus("broken");
    assert!(paths.len() >= 40);
    for path in paths {
        let name = stem(&path);
        let Err(diagnostics) = load_document(&path) else {
            panic!("{name} loads");
        };
        assert!(diagnostics.errors() > 0, "{name}");
        golden::check(&format!("broken/{name}.txt"), &listing(&diagnostics));
    }
}

#[test]
fn doubtful_documents() {
    for path in corpus("doubtful") {
        let name = stem(&path);
        let loaded = load_document(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let policies: String = loaded.policies.iter().map(render::policy).collect();
        let text = listing(&loaded.warnings) + &policies;
        golden::check(&format!("doubtful/{name}.txt"), &text);
    }
}
