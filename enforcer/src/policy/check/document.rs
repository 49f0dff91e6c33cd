//! What every document starts with: `apiVersion`, `kind`, `metadata`, `spec`.

use std::sync::Arc;

use crate::policy::{
    DocumentName,
    diagnostic::{Code, Diagnostics},
    read::{Reader, closest},
    source::{Node, Source, Span},
};

/// `apiVersion` of every document.
pub const API_VERSION: &str = "enforcer.dev/v1alpha1";

/// Kinds that this version reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::policy) enum Kind {
    EgressPolicy,
    NamespacedEgressPolicy,
    Region,
    Provider,
    DataFlow,
}

impl Kind {
    /// Whether its documents belong to a namespace each.
    fn is_namespaced(self) -> bool {
        match self {
            Self::NamespacedEgressPolicy => true,
            Self::EgressPolicy | Self::Region | Self::Provider | Self::DataFlow => false,
        }
    }
}

const KINDS: [(&str, Kind); 5] = [
    ("EgressPolicy", Kind::EgressPolicy),
    ("NamespacedEgressPolicy", Kind::NamespacedEgressPolicy),
    ("Region", Kind::Region),
    ("Provider", Kind::Provider),
    ("DataFlow", Kind::DataFlow),
];

/// A document whose head is in order.
pub(in crate::policy) struct Document<'n> {
    pub(in crate::policy) source: &'n Arc<Source>,
    pub(in crate::policy) kind: Kind,
    pub(in crate::policy) name: DocumentName,
    pub(in crate::policy) name_span: Span,
    pub(in crate::policy) spec: &'n Node,
}

impl Document<'_> {
    /// Whether it says where workloads may connect to.
    pub(in crate::policy) fn is_policy(&self) -> bool {
        matches!(self.kind, Kind::EgressPolicy | Kind::NamespacedEgressPolicy)
    }
}

/// Reads the head of a document. `None` when the kind, a part of the name or the spec is missing.
pub(in crate::policy) fn document<'n>(
    source: &'n Arc<Source>,
    node: &'n Node,
    diagnostics: &mut Diagnostics,
) -> Option<Document<'n>> {
    let mut reader = Reader {
        source,
        diagnostics,
    };
    let mut fields = reader.fields(node, "a document")?;
    if let Some(version) = reader.require(&mut fields, "apiVersion") {
        reader.choice(version, "`apiVersion`", &[(API_VERSION, ())]);
    }
    let kind_node = reader.require(&mut fields, "kind");
    let metadata = reader.require(&mut fields, "metadata");
    let spec = reader.require(&mut fields, "spec");
    let kind = kind_node.and_then(|node| kind(&mut reader, node));
    // The fields of a kind that is not known cannot be judged.
    if kind.is_some() {
        reader.finish(fields);
    }
    let (name, name_span) = name(&mut reader, metadata?, kind)?;
    Some(Document {
        source,
        kind: kind?,
        name,
        name_span,
        spec: spec?,
    })
}

/// What a document is called, and where `metadata.name` stands.
fn name(
    reader: &mut Reader<'_>,
    metadata: &Node,
    kind: Option<Kind>,
) -> Option<(DocumentName, Span)> {
    let mut fields = reader.fields(metadata, "`metadata`")?;
    let name_node = reader.require(&mut fields, "name");
    let is_namespaced = kind.is_some_and(Kind::is_namespaced);
    let namespace_node = match kind {
        Some(_) if is_namespaced => reader.require(&mut fields, "namespace"),
        Some(_) => {
            let help = "remove it; the policy of one namespace is a `NamespacedEgressPolicy`";
            reader.refuse(&mut fields, "namespace", help);
            None
        }
        None => fields.take("namespace"),
    };
    reader.finish(fields);
    let namespace = namespace_node.and_then(|node| reader.name(node, "`namespace`"));
    let name_node = name_node?;
    let name = reader.name(name_node, "`name`")?;
    if is_namespaced && namespace.is_none() {
        return None;
    }
    Some((DocumentName::new(namespace, name), name_node.span))
}

fn kind(reader: &mut Reader<'_>, node: &Node) -> Option<Kind> {
    let text = reader.text(node, "`kind`")?;
    if let Some(&(_, kind)) = KINDS.iter().find(|(name, _)| *name == text) {
        return Some(kind);
    }
    let message = format!("`{text}` is not a kind of document");
    let diagnostic = reader.report(Code::UnknownValue, node.span, message);
    match closest(text, KINDS.iter().map(|&(name, _)| name)) {
        Some(name) => diagnostic.help(format!("did you mean `{name}`?")),
        None => {
            let names = KINDS.map(|(name, _)| name).join(", ");
            diagnostic.help(format!("one of: {names}"))
        }
    };
    None
}
