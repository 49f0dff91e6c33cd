//! Policies that are pushed: files in memory, told apart by document.

use std::{
    collections::BTreeMap,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    DocumentName,
    crd::ResourceKind,
    diagnostic::Diagnostics,
    source::{self, Node, Source},
};

/// A policy file, as its author named it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleFile {
    /// The path that findings and provenance name. It is never opened.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// Files that are loaded together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    /// In the order in which they are read.
    pub files: Vec<BundleFile>,
}

/// `kind` and name of a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentId {
    /// `EgressPolicy`, `Region`.
    pub kind: String,
    /// Unique among the documents of its kind.
    pub name: DocumentName,
}

/// A document and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Path of its file.
    pub file: String,
    /// Its first line with text, counted from 1.
    pub line: u32,
    /// Its text, without the separators around it.
    pub text: String,
}

/// Every document of a [`Bundle`] that says what it is.
pub type Documents = BTreeMap<DocumentId, Document>;

/// Files and the documents in them, which are read once.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// The files.
    pub bundle: Bundle,
    /// Their documents.
    pub documents: Documents,
}

impl From<Bundle> for Contents {
    fn from(bundle: Bundle) -> Self {
        Self {
            documents: bundle.documents(),
            bundle,
        }
    }
}

impl DocumentId {
    /// What a document calls itself, if it does.
    pub(super) fn of(document: &Node) -> Option<Self> {
        let metadata = document.field("metadata")?;
        let namespace = metadata.field("namespace").and_then(Node::scalar);
        Some(Self {
            kind: document.field("kind")?.scalar()?.to_owned(),
            name: DocumentName::new(namespace, metadata.field("name")?.scalar()?),
        })
    }

    /// Of the policy of this name.
    #[must_use]
    pub fn of_policy(name: DocumentName) -> Self {
        Self {
            kind: ResourceKind::of_policy(&name).name().to_owned(),
            name,
        }
    }
}

impl Bundle {
    /// Reads files and directories as [`load`](super::load) does, without looking at what they say.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn read(paths: &[PathBuf]) -> Result<Self, Diagnostics> {
        let mut diagnostics = Diagnostics::default();
        let [sources] = source::collect([paths], &mut diagnostics);
        if diagnostics.errors() > 0 {
            return Err(diagnostics);
        }
        let file = |source: Arc<Source>| BundleFile {
            path: source.path().display().to_string(),
            text: source.text().to_owned(),
        };
        Ok(Self {
            files: sources.into_iter().map(file).collect(),
        })
    }

    pub(super) fn sources(&self) -> impl Iterator<Item = Arc<Source>> {
        let files = self.files.iter();
        files.map(|file| Source::new(Path::new(&file.path), file.text.clone()))
    }

    /// Every document. A later one of the same name replaces an earlier one.
    #[must_use]
    pub fn documents(&self) -> Documents {
        let of_file = |file: &BundleFile| {
            let found = chunks(&file.text).into_iter().filter_map(|range| {
                let id = identify(&file.text[range.clone()])?;
                Some((id, excerpt(file, range)))
            });
            found.collect::<Vec<_>>()
        };
        self.files.iter().flat_map(of_file).collect()
    }

    /// This with the documents of `newer` in the place of those of the same kind and name. What else
    /// stands in a file keeps its line.
    #[must_use]
    pub fn updated(&self, newer: &Self) -> Self {
        let replaced = newer.documents();
        let rest = |file: &BundleFile| {
            let mut text = String::new();
            let mut documents = 0;
            for range in chunks(&file.text) {
                let chunk = &file.text[range];
                let id = identify(chunk);
                if id.as_ref().is_some_and(|id| replaced.contains_key(id)) {
                    text += &"\n".repeat(chunk.matches('\n').count());
                } else {
                    documents += usize::from(id.is_some());
                    text += chunk;
                }
            }
            (documents > 0).then(|| BundleFile {
                path: file.path.clone(),
                text,
            })
        };
        let kept = self.files.iter().filter_map(rest);
        Self {
            files: kept.chain(newer.files.iter().cloned()).collect(),
        }
    }

    /// SHA-256 over the names and texts of all files, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for file in &self.files {
            for part in [&file.path, &file.text] {
                // With their lengths, so that no two bundles read alike.
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
        }
        let bytes = hash.finalize();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Ranges of the documents of a file, each with the separator before it. YAML has no other use for
/// these lines, not even inside block scalars (YAML 1.2.2, 9.1.2).
fn chunks(text: &str) -> Vec<Range<usize>> {
    let mut starts = vec![0];
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let marker = line.get(..3).filter(|head| ["---", "..."].contains(head));
        let ends = |rest: &str| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']);
        if marker.is_some() && ends(&line[3..]) && at > 0 {
            starts.push(at);
        }
        at += line.len();
    }
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts
        .iter()
        .copied()
        .zip(ends)
        .map(|(start, end)| start..end)
        .collect()
}

/// What a document calls itself. `None` when it is broken, and something else says so.
fn identify(text: &str) -> Option<DocumentId> {
    let source = Source::new(Path::new(""), text.to_owned());
    let documents = source::parse(&source, &mut Diagnostics::default());
    DocumentId::of(documents.first()?)
}

fn excerpt(file: &BundleFile, range: Range<usize>) -> Document {
    let text = &file.text[range.clone()];
    // What follows the separator on its line is part of the document.
    let body = text.strip_prefix("---").unwrap_or(text);
    let body = match body.split_once('\n') {
        Some((line, rest)) if line.trim().is_empty() => rest,
        _ => body,
    };
    let body = body.trim_start_matches(['\n', '\r']);
    let start = range.end - body.len();
    let lines = file.text[..start].matches('\n').count();
    Document {
        file: file.path.clone(),
        line: u32::try_from(lines + 1).unwrap_or(u32::MAX),
        text: format!("{}\n", body.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Bundle, BundleFile, DocumentId, DocumentName};
    use crate::policy::load_with;

    fn policy(name: &str, action: &str) -> String {
        format!(
            "apiVersion: enforcer.dev/v1alpha1\nkind: EgressPolicy\nmetadata: {{name: {name}}}\n\
             spec:\n  selector: [{{exec: true}}]\n  default: {action}\n"
        )
    }

    fn bundle(files: &[(&str, String)]) -> Bundle {
        let file = |(path, text): &(&str, String)| BundleFile {
            path: (*path).to_owned(),
            text: text.clone(),
        };
        Bundle {
            files: files.iter().map(file).collect(),
        }
    }

    fn places(bundle: &Bundle) -> Vec<(String, String, u32)> {
        let documents = bundle.documents().into_iter();
        documents
            .map(|(id, document)| (id.name.to_string(), document.file, document.line))
            .collect()
    }

    #[test]
    fn a_newer_document_takes_the_place_of_its_namesake_alone() {
        let both = format!("# two\n{}---\n{}", policy("a", "deny"), policy("b", "deny"));
        let old = bundle(&[("x.yaml", both)]);
        let new = old.updated(&bundle(&[("y.yaml", policy("a", "allow"))]));
        let (x, y) = ("x.yaml".to_owned(), "y.yaml".to_owned());
        assert_eq!(
            places(&new),
            [("a".to_owned(), y, 1), ("b".to_owned(), x, 9)]
        );
        let loaded = load_with(&[], &new).expect("sound");
        let at: Vec<_> = loaded
            .policies
            .iter()
            .map(|it| (&*it.name.0, it.at.line))
            .collect();
        assert_eq!(at, [("b", 11), ("a", 3)]);
        // Nothing is left of a file whose only document went.
        let last = new.updated(&bundle(&[("z.yaml", policy("b", "allow"))]));
        let files: Vec<_> = last.files.iter().map(|file| &*file.path).collect();
        assert_eq!(files, ["y.yaml", "z.yaml"]);
    }

    #[test]
    fn the_text_of_a_document_is_its_own() {
        let text = format!(
            "---\n{}---\n{}...\n",
            policy("a", "deny"),
            policy("b", "allow")
        );
        let documents = bundle(&[("x.yaml", text)]).documents();
        let id = |name: &str| DocumentId::of_policy(name.into());
        assert_eq!(documents[&id("a")].text, policy("a", "deny"));
        assert_eq!(documents[&id("b")].text, policy("b", "allow"));
        assert_eq!((documents[&id("a")].line, documents[&id("b")].line), (2, 9));
    }

    #[test]
    fn a_document_takes_the_place_of_one_of_its_namespace() {
        let of = |namespace: &str| {
            policy("a", "deny")
                .replace("EgressPolicy", "NamespacedEgressPolicy")
                .replace("{name", &format!("{{namespace: {namespace}, name"))
        };
        let old = bundle(&[(
            "x.yaml",
            format!("{}---\n{}", of("llm"), policy("a", "deny")),
        )]);
        let new = old.updated(&bundle(&[("y.yaml", of("web")), ("z.yaml", of("llm"))]));
        let names: Vec<_> = new.documents().into_keys().map(|it| it.name).collect();
        let named = |namespace| DocumentName::new(namespace, "a");
        assert_eq!(names, [named(None), named(Some("llm")), named(Some("web"))]);
        let files: Vec<_> = new.documents().into_values().map(|it| it.file).collect();
        assert_eq!(files, ["x.yaml", "z.yaml", "y.yaml"]);
    }

    #[test]
    fn a_block_scalar_may_hold_dashes() {
        let text =
            policy("a", "deny").replace("spec:\n", "spec:\n  description: |\n    ---\n    x\n");
        assert_eq!(bundle(&[("x.yaml", text)]).documents().len(), 1);
    }

    #[test]
    fn digests_tell_names_and_texts_apart() {
        let one = bundle(&[("ab", "c".to_owned())]).digest();
        let other = bundle(&[("a", "bc".to_owned())]).digest();
        assert_ne!(one, other);
        assert_eq!(one.len(), 64);
    }
}
