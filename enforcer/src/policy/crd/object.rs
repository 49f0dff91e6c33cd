//! Documents to objects of an API, and back to text.

use serde_json::{Map, Value, json};

use super::{API_VERSION, ResourceKind, schema};
use crate::policy::{
    Bundle, BundleFile, Diagnostics, DocumentId,
    source::{self, Node, Value as Content},
};

/// A document as an API server stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// What it is.
    pub kind: ResourceKind,
    /// `metadata.name`.
    pub name: String,
    /// `spec`.
    pub spec: Value,
}

impl Object {
    /// The object as it is applied.
    #[must_use]
    pub fn manifest(&self) -> Value {
        json!({
            "apiVersion": API_VERSION,
            "kind": self.kind.name(),
            "metadata": {"name": self.name},
            "spec": self.spec,
        })
    }

    /// The document, as a file of a bundle. Its path is that of the API: `egresspolicies/NAME`.
    #[must_use]
    pub fn file(&self) -> BundleFile {
        BundleFile {
            path: format!("{}/{}", self.kind.plural(), self.name),
            text: yaml(&self.manifest()),
        }
    }
}

/// A value as YAML, in block style.
#[must_use]
pub fn yaml(value: &Value) -> String {
    // JSON is YAML too, so that even what the library would refuse is told.
    serde_saphyr::to_string(value).unwrap_or_else(|_| value.to_string())
}

/// Documents as objects, those of a kind that a cluster does not store left out. What the reader takes
/// for text becomes text, whatever YAML would make of it: `NO`, `1.0`.
///
/// # Errors
/// A file is not YAML.
pub fn objects(bundle: &Bundle) -> Result<Vec<Object>, Diagnostics> {
    let mut diagnostics = Diagnostics::default();
    let mut objects = Vec::new();
    for source in bundle.sources() {
        for document in source::parse(&source, &mut diagnostics) {
            objects.extend(object(&document));
        }
    }
    if diagnostics.errors() > 0 {
        return Err(diagnostics);
    }
    Ok(objects)
}

fn object(document: &Node) -> Option<Object> {
    let DocumentId { kind, name } = DocumentId::of(document)?;
    let kind = ResourceKind::named(&kind)?;
    let schema = schema(kind).ok()?;
    let spec = typed(document.field("spec")?, &schema["properties"]["spec"]);
    Some(Object { kind, name, spec })
}

/// A node as what its schema says that it is.
fn typed(node: &Node, schema: &Value) -> Value {
    match &node.value {
        Content::Mapping(entries) => {
            let entries = entries.iter().map(|entry| {
                let named = schema["properties"].get(&entry.key);
                let field = named.unwrap_or(&schema["additionalProperties"]);
                (entry.key.clone(), typed(&entry.value, field))
            });
            Value::Object(entries.collect::<Map<_, _>>())
        }
        Content::Sequence(items) => {
            let items = items.iter().map(|item| typed(item, &schema["items"]));
            Value::Array(items.collect())
        }
        Content::Scalar { .. } if node.is_null() => Value::Null,
        Content::Scalar { text, .. } => match schema["type"].as_str() {
            Some("boolean" | "integer") => {
                serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()))
            }
            _ => Value::String(text.clone()),
        },
        Content::Invalid => Value::Null,
    }
}
