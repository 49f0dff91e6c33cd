//! What every document starts with: `apiVersion`, `kind`, `metadata`, `spec`.

use std::sync::Arc;

use crate::policy::{
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
    Region,
    Provider,
    DataFlow,
}

const KINDS: [(&str, Kind); 4] = [
    ("EgressPolicy", Kind::EgressPolicy),
    ("Region", Kind::Region),
    ("Provider", Kind::Provider),
    ("DataFlow", Kind::DataFlow),
];

/// A document whose head is in order.
pub(in crate::policy) struct Document<'n> {
    pub(in crate::policy) source: &'n Arc<Source>,
    pub(in crate::policy) kind: Kind,
    pub(in crate::policy) name: &'n str,
    pub(in crate::policy) name_span: Span,
    pub(in crate::policy) spec: &'n Node,
}

/// Reads the head of a document. `None` when the kind, the name or the spec is missing.
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
    let metadata = metadata?;
    let mut fields = reader.fields(metadata, "`metadata`")?;
    let name_node = reader.require(&mut fields, "name");
    reader.finish(fields);
    let name_node = name_node?;
    let name = reader.name(name_node, "`name`");
    Some(Document {
        source,
        kind: kind?,
        name: name?,
        name_span: name_node.span,
        spec: spec?,
    })
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
