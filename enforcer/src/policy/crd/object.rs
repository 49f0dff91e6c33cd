//! Documents to objects of an API, and back to text.

use serde_json::{Map, Value, json};

use super::{API_VERSION, ResourceKind, schema};
use crate::policy::{
    Bundle, BundleFile, Diagnostics, DocumentId, DocumentName,
    source::{self, Node, Value as Content},
};

/// A document as an API server stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// What it is.
    pub kind: ResourceKind,
    /// What it is called.
    pub name: DocumentName,
    /// `spec`.
    pub spec: Value,
}

/// What an object begins with: version, kind and name.
#[must_use]
pub fn head(kind: ResourceKind, name: &DocumentName) -> Value {
    let mut metadata = json!({"name": name.name()});
    if let Some(namespace) = name.namespace() {
        metadata["namespace"] = namespace.into();
    }
    json!({"apiVersion": API_VERSION, "kind": kind.name(), "metadata": metadata})
}

/// Where a document stands in the cluster, for findings and provenance: `egresspolicies/NAME`,
/// `namespacedegresspolicies/NAMESPACE/NAME`.
#[must_use]
pub fn path(kind: ResourceKind, name: &DocumentName) -> String {
    format!("{}/{name}", kind.plural())
}

/// What stands there, as [`path`] has it.
#[must_use]
pub fn at_path(path: &str) -> Option<(ResourceKind, DocumentName)> {
    let (plural, name) = path.split_once('/')?;
    let mut kinds = ResourceKind::ALL.into_iter();
    let kind = kinds.find(|kind| kind.plural() == plural)?;
    Some((kind, name.into()))
}

impl Object {
    /// The object as it is applied.
    #[must_use]
    pub fn manifest(&self) -> Value {
        let mut manifest = head(self.kind, &self.name);
        manifest["spec"] = self.spec.clone();
        manifest
    }

    /// The document, as a file of a bundle at its [`path`].
    #[must_use]
    pub fn file(&self) -> BundleFile {
        BundleFile {
            path: path(self.kind, &self.name),
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
