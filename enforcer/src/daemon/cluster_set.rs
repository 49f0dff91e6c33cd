//! The documents of a cluster that are in force here: a file of the state directory, so that they
//! outlive the daemon and an API server that is down.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::state_file;
use crate::policy::{self, Bundle, BundleFile, Diagnostics, Loaded, Severity, crd};

/// A document of the cluster, as this node is to enforce it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterDocument {
    /// Where it stands in the cluster, as [`crd::path`] has it, and its text.
    #[serde(flatten)]
    pub file: BundleFile,
    /// `metadata.generation`.
    pub generation: i64,
    /// What is known of it besides, where only some nodes try it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<CanaryDocument>,
}

impl ClusterDocument {
    fn is_of_a_namespace(&self) -> bool {
        let stands = crd::at_path(&self.file.path);
        stands.is_some_and(|(_, name)| name.namespace().is_some())
    }
}

/// What stands behind a canary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanaryDocument {
    /// How many refusals of what is allowed without it end it.
    pub limit: u64,
    /// The document that the other nodes enforce; none where it is new.
    pub instead: Option<BundleFile>,
}

/// Documents that load together, and those that do not.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) documents: Vec<ClusterDocument>,
    pub(super) loaded: Loaded,
    /// What is wrong with documents that are not in force as they are wanted, by path.
    pub(super) refused: BTreeMap<String, String>,
}

/// The documents in force.
#[derive(Debug)]
pub struct ClusterSet {
    path: PathBuf,
    documents: Vec<ClusterDocument>,
    /// What is wrong with what it stores now, by path.
    refused: BTreeMap<String, String>,
    /// What it stored when it was first looked at.
    first: Option<Vec<ClusterDocument>>,
}

impl ClusterSet {
    /// Reads what was in force last.
    ///
    /// # Errors
    /// The file is there, and not what was written: nothing else is put in its place.
    pub fn open(state: &Path) -> anyhow::Result<Self> {
        let path = state.join("cluster.json");
        let mut set = Self::none(path);
        match fs::read(&set.path) {
            Ok(bytes) => {
                set.documents = serde_json::from_slice(&bytes).with_context(|| {
                    let path = set.path.display();
                    format!("{path} is damaged: remove it to begin with what the cluster says")
                })?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(error).with_context(|| format!("read {}", set.path.display()));
            }
        }
        Ok(set)
    }

    /// Of a node that follows no cluster.
    #[must_use]
    pub fn none(path: PathBuf) -> Self {
        Self {
            path,
            documents: Vec::new(),
            refused: BTreeMap::new(),
            first: None,
        }
    }

    /// With what the cluster stores now, to begin with.
    #[must_use]
    pub fn first(self, documents: Option<Vec<ClusterDocument>>) -> Self {
        Self {
            first: documents,
            ..self
        }
    }

    /// Takes what the cluster stores for what is in force, before anything is. What is broken stays
    /// out, or all of it does; and what namespaces say anew, for nobody has seen yet that it fits into an
    /// image.
    ///
    /// # Errors
    /// The disk is full.
    pub(super) fn begin(&mut self, paths: &[PathBuf], pushed: &Bundle) -> anyhow::Result<()> {
        let Some(first) = self.first.take() else {
            return Ok(());
        };
        let load = |bundle: &Bundle| policy::load_with(paths, bundle);
        let first = self.without_news_of_namespaces(&first);
        if let Ok(settled) = self.settle(&first, pushed, load) {
            self.write(&settled.documents)?;
            self.advance(settled.documents);
        }
        Ok(())
    }

    /// What is in force.
    #[must_use]
    pub fn documents(&self) -> &[ClusterDocument] {
        &self.documents
    }

    /// What is wrong with what the cluster stores now, by path.
    #[must_use]
    pub fn refused(&self) -> &BTreeMap<String, String> {
        &self.refused
    }

    /// These files and those in force here.
    #[must_use]
    pub fn beside(&self, others: &Bundle) -> Bundle {
        joined(others, &self.documents)
    }

    /// These files and those that would be in force here without canaries.
    #[must_use]
    pub fn without_canaries(&self, others: &Bundle) -> Bundle {
        let plain = self.documents.iter().filter_map(|document| {
            let file = match &document.canary {
                Some(canary) => canary.instead.clone()?,
                None => document.file.clone(),
            };
            Some(ClusterDocument {
                file,
                canary: None,
                ..document.clone()
            })
        });
        joined(others, &plain.collect::<Vec<_>>())
    }

    /// Finds the documents that can be in force together with `others`. A broken one does not keep
    /// the others out: what was in force in its place stays. Nothing that is in force goes because
    /// something is broken, or because what it names was removed: that stays then.
    ///
    /// # Errors
    /// What is in force does not load with `others` any more: nothing may change.
    pub(super) fn settle(
        &self,
        wanted: &[ClusterDocument],
        others: &Bundle,
        load: impl Fn(&Bundle) -> Result<Loaded, Diagnostics>,
    ) -> Result<Settled, Diagnostics> {
        let mut documents = wanted.to_vec();
        let mut refused = BTreeMap::new();
        loop {
            let findings = match load(&joined(others, &documents)) {
                Ok(loaded) => {
                    return Ok(Settled {
                        documents,
                        loaded,
                        refused,
                    });
                }
                Err(findings) => findings,
            };
            let mut stepped_back = false;
            for (path, text) in by_file(&findings) {
                let Some(at) = documents.iter().position(|it| it.file.path == path) else {
                    continue;
                };
                let before = self.documents.iter().find(|it| it.file.path == path);
                match before {
                    Some(before) if before.file == documents[at].file => continue,
                    Some(before) => documents[at] = before.clone(),
                    None => drop(documents.remove(at)),
                }
                stepped_back = true;
                refused.insert(path, text);
            }
            if stepped_back {
                continue;
            }
            let removed = self.removed_names(&documents);
            if removed.is_empty() {
                return Err(findings);
            }
            for document in removed {
                let path = document.file.path.clone();
                let why = format!("{path}: removed, but what is in force names it: it stays");
                refused.insert(path, why);
                documents.push(document);
            }
        }
    }

    /// What is in force and not among `documents`, of the kinds that others name.
    fn removed_names(&self, documents: &[ClusterDocument]) -> Vec<ClusterDocument> {
        let is_named = |path: &str| crd::at_path(path).is_some_and(|(kind, _)| !kind.is_policy());
        let is_removed = |held: &&ClusterDocument| {
            is_named(&held.file.path) && !documents.iter().any(|it| it.file.path == held.file.path)
        };
        self.documents.iter().filter(is_removed).cloned().collect()
    }

    /// These, with those of namespaces as they are in force.
    pub(super) fn without_news_of_namespaces(
        &self,
        wanted: &[ClusterDocument],
    ) -> Vec<ClusterDocument> {
        let as_held = |document: &ClusterDocument| {
            let mut held = self.documents.iter();
            if document.is_of_a_namespace() {
                held.find(|it| it.file.path == document.file.path).cloned()
            } else {
                Some(document.clone())
            }
        };
        wanted.iter().filter_map(as_held).collect()
    }

    /// Leaves out what namespaces say, until the cluster is followed again; whether there was any. It
    /// stays written down.
    pub(super) fn leave_namespaces_out(&mut self) -> bool {
        let before = self.documents.len();
        self.documents.retain(|it| !it.is_of_a_namespace());
        self.documents.len() < before
    }

    /// Writes down what is to be in force.
    ///
    /// # Errors
    /// The disk is full; the file is as it was.
    pub(super) fn write(&self, documents: &[ClusterDocument]) -> anyhow::Result<()> {
        state_file::write(&self.path, &serde_json::to_vec(documents)?)
            .with_context(|| format!("write {}", self.path.display()))
    }

    /// Takes what was written for what is in force.
    pub(super) fn advance(&mut self, documents: Vec<ClusterDocument>) {
        self.documents = documents;
    }

    /// Remembers what is wrong; whether that is news.
    pub(super) fn refuse(&mut self, refused: BTreeMap<String, String>) -> bool {
        let is_news = refused != self.refused && !refused.is_empty();
        self.refused = refused;
        is_news
    }
}

fn joined(others: &Bundle, documents: &[ClusterDocument]) -> Bundle {
    let of_cluster = documents.iter().map(|it| it.file.clone());
    Bundle {
        // Last: of two documents of one name, the finding is about the cluster's.
        files: others.files.iter().cloned().chain(of_cluster).collect(),
    }
}

/// Errors, by the file that they are in.
fn by_file(findings: &Diagnostics) -> BTreeMap<String, String> {
    let mut by_file: BTreeMap<String, String> = BTreeMap::new();
    let errors = findings.iter();
    for finding in errors.filter(|it| it.severity() == Severity::Error) {
        let at = finding.position();
        let help = finding
            .help_text()
            .map(|it| format!(" ({it})"))
            .unwrap_or_default();
        let text = format!("{at}: {}{help}", finding.message());
        let all = by_file.entry(at.file.display().to_string()).or_default();
        if !all.is_empty() {
            all.push('\n');
        }
        all.push_str(&text);
    }
    by_file
}

#[cfg(test)]
mod tests;
