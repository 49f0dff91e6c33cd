//! Files to checked policies.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{
    bundle::Bundle,
    check::{self, Document, Kind},
    diagnostic::{Code, Diagnostic, Diagnostics},
    model::Policy,
    region::Regions,
    source::{self, Node, Source, Span},
};

/// What [`load`] found.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// In the order of the files.
    pub policies: Vec<Policy>,
    /// The built-in regions and those of the files.
    pub regions: Regions,
    /// How many regions stand in the files.
    pub region_documents: usize,
    /// What loads, but probably does not mean what it says.
    pub warnings: Diagnostics,
}

/// Reads policies and regions. A directory is read recursively, `*.yaml` and `*.yml` in the order
/// of names, hidden entries left out. Members of regions count as of today, UTC: see
/// [`Regions::next_change`].
///
/// # Errors
/// All findings of all files, warnings too, if any of them is an error.
pub fn load(paths: &[PathBuf]) -> Result<Loaded, Diagnostics> {
    load_on(paths, today())
}

/// [`load`] with the files of a bundle beside those of `paths`. All of them are one set: a name that
/// occurs in both is an error.
///
/// # Errors
/// As [`load`].
pub fn load_with(paths: &[PathBuf], bundle: &Bundle) -> Result<Loaded, Diagnostics> {
    let mut diagnostics = Diagnostics::default();
    let mut sources = source::collect(paths, &mut diagnostics);
    sources.extend(bundle.sources());
    load_sources(sources, diagnostics, today())
}

/// [`load`] as of another day.
///
/// # Errors
/// As [`load`].
pub fn load_on(paths: &[PathBuf], today: Date) -> Result<Loaded, Diagnostics> {
    let mut diagnostics = Diagnostics::default();
    let sources = source::collect(paths, &mut diagnostics);
    load_sources(sources, diagnostics, today)
}

/// The policy that `exec` uses when none is given: `policies/sovereign-llm.yaml`.
///
/// # Errors
/// None, as its golden test shows.
pub fn load_default() -> Result<Loaded, Diagnostics> {
    let text = include_str!("../../../policies/sovereign-llm.yaml");
    let source = Source::new(Path::new("built-in/sovereign-llm.yaml"), text.to_owned());
    load_sources(vec![source], Diagnostics::default(), today())
}

fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}

fn load_sources(
    sources: Vec<Arc<Source>>,
    mut diagnostics: Diagnostics,
    today: Date,
) -> Result<Loaded, Diagnostics> {
    let regions = Regions::built_in(today)?;
    let files: Vec<(Arc<Source>, Vec<Node>)> = sources
        .into_iter()
        .map(|file| {
            let documents = source::parse(&file, &mut diagnostics);
            (file, documents)
        })
        .collect();
    let mut loaded = read(&files, regions, &mut diagnostics);
    diagnostics.sort();
    if diagnostics.errors() > 0 {
        return Err(diagnostics);
    }
    loaded.warnings = diagnostics;
    Ok(loaded)
}

fn read(
    files: &[(Arc<Source>, Vec<Node>)],
    mut regions: Regions,
    diagnostics: &mut Diagnostics,
) -> Loaded {
    let nodes = files
        .iter()
        .flat_map(|(source, nodes)| nodes.iter().map(move |node| (source, node)));
    let documents: Vec<Document<'_>> = nodes
        .filter_map(|(source, node)| check::document(source, node, diagnostics))
        .collect();
    let of_kind = |kind| {
        documents
            .iter()
            .filter(move |document| document.kind == kind)
    };

    let mut names = Names::default();
    for document in of_kind(Kind::Region) {
        if !names.claim(document, "regions", diagnostics) {
            continue;
        }
        let Some(region) = check::region(document, false, diagnostics) else {
            continue;
        };
        match regions.get(document.name) {
            // The data files of the program, checked as files.
            Some(known) if known.says_the_same(&region) => {}
            Some(_) => {
                let (source, span) = (document.source, document.name_span);
                let message = format!("region `{}` is built in, and differs", document.name);
                let error = Diagnostic::at(Code::DuplicateName, source, span, message);
                diagnostics.push(error.with_help("choose another name"));
            }
            None => regions.insert(region),
        }
    }
    let mut names = Names::default();
    let mut policies = Vec::new();
    for document in of_kind(Kind::EgressPolicy) {
        names.claim(document, "policies", diagnostics);
        policies.extend(check::egress_policy(document, &regions, diagnostics));
    }
    Loaded {
        policies,
        region_documents: of_kind(Kind::Region).count(),
        regions,
        warnings: Diagnostics::default(),
    }
}

/// Names of one kind of document, with where they were first used.
#[derive(Default)]
struct Names<'n>(HashMap<&'n str, (&'n Arc<Source>, Span)>);

impl<'n> Names<'n> {
    /// Whether the name was free; reports it otherwise.
    fn claim(
        &mut self,
        document: &Document<'n>,
        kind: &str,
        diagnostics: &mut Diagnostics,
    ) -> bool {
        let (source, span) = (document.source, document.name_span);
        if let Some(&(first_source, first)) = self.0.get(document.name) {
            let message = format!("two {kind} are named `{}`", document.name);
            diagnostics
                .push(Diagnostic::at(Code::DuplicateName, source, span, message))
                .help("give each its own name")
                .also(first_source, first, "first one here");
            return false;
        }
        self.0.insert(document.name, (source, span));
        true
    }
}
