//! Files to checked policies.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::{Timestamp, civil::Date};

use super::{
    Minute,
    bundle::Bundle,
    check::{self, Document, Kind},
    data_flow::DataFlow,
    diagnostic::{Code, Diagnostic, Diagnostics},
    document_name::DocumentName,
    model::Policy,
    place::Sources,
    provider::Providers,
    read::closest,
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
    /// Declared flows, in the order of the files.
    pub flows: Vec<DataFlow>,
    /// The files.
    pub sources: Sources,
    /// The built-in providers, those of the files, and the agreements with both.
    pub providers: Providers,
    /// How many providers stand in the files.
    pub provider_documents: usize,
    /// What loads, but probably does not mean what it says.
    pub warnings: Diagnostics,
}

/// Reads policies, regions and providers. A directory is read recursively, `*.yaml` and `*.yml` in the order
/// of names, hidden entries left out. Members of regions count as of today, UTC: see
/// [`Regions::next_change`].
///
/// # Errors
/// All findings of all files, warnings too, if any of them is an error.
pub fn load(paths: &[PathBuf]) -> Result<Loaded, Diagnostics> {
    load_at(paths, now())
}

/// [`load`] with the files of a bundle beside those of `paths`. All of them are one set: a name that
/// occurs in both is an error.
///
/// # Errors
/// As [`load`].
pub fn load_with(paths: &[PathBuf], bundle: &Bundle) -> Result<Loaded, Diagnostics> {
    let mut diagnostics = Diagnostics::default();
    let [mut sources] = source::collect([paths], &mut diagnostics);
    sources.extend(bundle.sources());
    let policy_files = sources.len();
    load_sources(sources, policy_files, diagnostics, now())
}

/// [`load`] as of the start of another day.
///
/// # Errors
/// As [`load`].
pub fn load_on(paths: &[PathBuf], today: Date) -> Result<Loaded, Diagnostics> {
    load_at(paths, Minute::start_of(today))
}

/// [`load`] as of another minute.
///
/// # Errors
/// As [`load`].
pub fn load_at(paths: &[PathBuf], now: Minute) -> Result<Loaded, Diagnostics> {
    load_with_flows_at(paths, &[], now)
}

/// [`load`] with files that declare flows and nothing else: what they say is compared with the
/// policies, so they must not add any. Flows may also stand among the policies.
///
/// # Errors
/// As [`load`].
pub fn load_with_flows(paths: &[PathBuf], flows: &[PathBuf]) -> Result<Loaded, Diagnostics> {
    load_with_flows_at(paths, flows, now())
}

/// [`load_with_flows`] as of another minute.
///
/// # Errors
/// As [`load`].
pub fn load_with_flows_at(
    paths: &[PathBuf],
    flows: &[PathBuf],
    now: Minute,
) -> Result<Loaded, Diagnostics> {
    let mut diagnostics = Diagnostics::default();
    let [sources, flow_sources] = source::collect([paths, flows], &mut diagnostics);
    let policy_files = sources.len();
    let sources = sources.into_iter().chain(flow_sources).collect();
    load_sources(sources, policy_files, diagnostics, now)
}

/// [`load`] of one file in memory; findings and provenance name `path`, which is never opened.
///
/// # Errors
/// As [`load`].
pub fn load_text(path: &str, text: &str) -> Result<Loaded, Diagnostics> {
    let source = Source::new(Path::new(path), text.to_owned());
    load_sources(vec![source], 1, Diagnostics::default(), now())
}

/// The policy that `exec` uses when none is given: `policies/sovereign-llm.yaml`.
///
/// # Errors
/// None, as its golden test shows.
pub fn load_default() -> Result<Loaded, Diagnostics> {
    let text = include_str!("../../../policies/sovereign-llm.yaml");
    load_text("built-in/sovereign-llm.yaml", text)
}

fn now() -> Minute {
    Minute::of(Timestamp::now())
}

/// The first `policy_files` of `sources` may hold documents of any kind, the others flows.
fn load_sources(
    sources: Vec<Arc<Source>>,
    policy_files: usize,
    mut diagnostics: Diagnostics,
    now: Minute,
) -> Result<Loaded, Diagnostics> {
    let regions = Regions::built_in(now.date())?;
    let providers = Providers::built_in(&regions)?;
    let files: Vec<(Arc<Source>, Vec<Node>)> = sources
        .iter()
        .map(|file| {
            let documents = source::parse(file, &mut diagnostics);
            (Arc::clone(file), documents)
        })
        .collect();
    let mut loaded = read(
        &files,
        policy_files,
        regions,
        providers,
        now,
        &mut diagnostics,
    );
    let paths = sources.iter().map(|source| Arc::clone(source.path()));
    diagnostics.set_files(paths.collect());
    loaded.sources = Sources(sources);
    diagnostics.sort();
    if diagnostics.errors() > 0 {
        return Err(diagnostics);
    }
    loaded.warnings = diagnostics;
    Ok(loaded)
}

fn read(
    files: &[(Arc<Source>, Vec<Node>)],
    policy_files: usize,
    mut regions: Regions,
    mut providers: Providers,
    now: Minute,
    diagnostics: &mut Diagnostics,
) -> Loaded {
    let mut documents: Vec<Document<'_>> = Vec::new();
    for (index, (source, nodes)) in files.iter().enumerate() {
        for node in nodes {
            let document = check::document(source, node, diagnostics);
            documents.extend(
                document.filter(|document| index < policy_files || is_flow(document, diagnostics)),
            );
        }
    }
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
        match regions.get(document.name.as_str()) {
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
    let mut agreements = Vec::new();
    for document in of_kind(Kind::Provider) {
        let Some(provider) = check::provider(document, false, &regions, diagnostics) else {
            continue;
        };
        if provider.endpoints.is_empty() {
            agreements.extend(provider.agreement.is_some().then_some((document, provider)));
        } else if names.claim(document, "providers", diagnostics) && !providers.add(provider) {
            let (source, span) = (document.source, document.name_span);
            let message = format!("provider `{}` is built in, and differs", document.name);
            let error = Diagnostic::at(Code::DuplicateName, source, span, message);
            diagnostics.push(error.with_help(
                "choose another name, or leave `endpoints` out to add the agreement alone",
            ));
        }
    }
    let mut names = Names::default();
    for (document, provider) in agreements {
        let claimed = names.claim(document, "agreements", diagnostics);
        if claimed && !providers.agree(provider) {
            let (source, span) = (document.source, document.name_span);
            let message = format!("there is no provider `{}` to agree with", document.name);
            let error = Diagnostic::at(Code::UnknownProvider, source, span, message);
            let help = match closest(document.name.as_str(), providers.names()) {
                Some(name) => format!("did you mean `{name}`?"),
                None => "add its `endpoints`".to_owned(),
            };
            diagnostics.push(error.with_help(help));
        }
    }
    let mut names = Names::default();
    let mut policies = Vec::new();
    for document in documents.iter().filter(|document| document.is_policy()) {
        names.claim(document, "policies", diagnostics);
        policies.extend(check::egress_policy(
            document,
            &regions,
            &providers,
            now,
            diagnostics,
        ));
    }
    let mut names = Names::default();
    let mut flows = Vec::new();
    for document in of_kind(Kind::DataFlow) {
        names.claim(document, "flows", diagnostics);
        flows.extend(check::data_flow(document, &providers, diagnostics));
    }
    Loaded {
        policies,
        flows,
        sources: Sources::default(),
        region_documents: of_kind(Kind::Region).count(),
        regions,
        provider_documents: of_kind(Kind::Provider).count(),
        providers,
        warnings: Diagnostics::default(),
    }
}

/// Whether it declares a flow; reports it otherwise.
fn is_flow(document: &Document<'_>, diagnostics: &mut Diagnostics) -> bool {
    let is_flow = document.kind == Kind::DataFlow;
    if !is_flow {
        let message = format!("`{}` does not declare a flow", document.name);
        let (source, span) = (document.source, document.name_span);
        diagnostics
            .push(Diagnostic::at(Code::UnknownValue, source, span, message))
            .help("only documents of kind DataFlow count here: give others with the policies");
    }
    is_flow
}

/// Names of one kind of document, with where they were first used.
#[derive(Default)]
struct Names<'n>(HashMap<DocumentName, (&'n Arc<Source>, Span)>);

impl<'n> Names<'n> {
    /// Whether the name was free; reports it otherwise.
    fn claim(
        &mut self,
        document: &Document<'n>,
        kind: &str,
        diagnostics: &mut Diagnostics,
    ) -> bool {
        let (source, span) = (document.source, document.name_span);
        if let Some(&(first_source, first)) = self.0.get(&document.name) {
            let message = format!("two {kind} are named `{}`", document.name);
            diagnostics
                .push(Diagnostic::at(Code::DuplicateName, source, span, message))
                .help("give each its own name")
                .also(first_source, first, "first one here");
            return false;
        }
        self.0.insert(document.name.clone(), (source, span));
        true
    }
}
