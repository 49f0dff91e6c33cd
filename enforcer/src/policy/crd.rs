//! Kinds of documents as CustomResourceDefinitions, so that a cluster's API server stores and checks
//! them. They are derived from the published schema, which the reader is tested against.

mod object;
mod structural;

use serde_json::{Map, Value, json};

use self::structural::Definitions;
pub use self::{
    object::{Object, at_path, head, objects, path, yaml},
    structural::Unsupported,
};
pub use super::check::API_VERSION;
use super::{DocumentName, SCHEMA};

/// A kind that a cluster stores, in the order in which they name each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceKind {
    /// `Region`.
    Region,
    /// `Provider`.
    Provider,
    /// `EgressPolicy`.
    EgressPolicy,
    /// `NamespacedEgressPolicy`.
    NamespacedEgressPolicy,
}

impl ResourceKind {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Region,
        Self::Provider,
        Self::EgressPolicy,
        Self::NamespacedEgressPolicy,
    ];

    /// The kind of the policy of this name.
    #[must_use]
    pub fn of_policy(name: &DocumentName) -> Self {
        match name.namespace() {
            Some(_) => Self::NamespacedEgressPolicy,
            None => Self::EgressPolicy,
        }
    }

    /// Whether its documents are policies.
    #[must_use]
    pub fn is_policy(self) -> bool {
        match self {
            Self::EgressPolicy | Self::NamespacedEgressPolicy => true,
            Self::Region | Self::Provider => false,
        }
    }

    /// The kind as documents name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EgressPolicy => "EgressPolicy",
            Self::NamespacedEgressPolicy => "NamespacedEgressPolicy",
            Self::Region => "Region",
            Self::Provider => "Provider",
        }
    }

    /// The resource, as paths of the API name it.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::EgressPolicy => "egresspolicies",
            Self::NamespacedEgressPolicy => "namespacedegresspolicies",
            Self::Region => "regions",
            Self::Provider => "providers",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    fn definition(self) -> &'static str {
        match self {
            Self::EgressPolicy => "egressPolicySpec",
            Self::NamespacedEgressPolicy => "namespacedEgressPolicySpec",
            Self::Region => "regionSpec",
            Self::Provider => "providerSpec",
        }
    }

    fn singular(self) -> &'static str {
        match self {
            Self::EgressPolicy => "egresspolicy",
            Self::NamespacedEgressPolicy => "namespacedegresspolicy",
            Self::Region => "region",
            Self::Provider => "provider",
        }
    }

    fn scope(self) -> &'static str {
        match self {
            Self::NamespacedEgressPolicy => "Namespaced",
            Self::EgressPolicy | Self::Region | Self::Provider => "Cluster",
        }
    }

    fn columns(self) -> Value {
        let column = |name: &str, path: &str, kind: &str| json!({"name": name, "jsonPath": path, "type": kind});
        let mut columns = match self {
            Self::EgressPolicy | Self::NamespacedEgressPolicy => vec![
                column("Mode", ".spec.mode", "string"),
                column("Default", ".spec.default", "string"),
                column("Canary", ".canary.share", "string"),
            ],
            Self::Region => vec![column("Description", ".spec.description", "string")],
            Self::Provider => vec![
                column("Agreement", ".spec.dpa.status", "string"),
                column("Expires", ".spec.dpa.expires", "string"),
            ],
        };
        columns.push(column("Age", ".metadata.creationTimestamp", "date"));
        Value::Array(columns)
    }
}

/// Group of the resources, the part of `apiVersion` before the slash.
#[must_use]
pub fn group() -> &'static str {
    API_VERSION.split_once('/').map_or(API_VERSION, |it| it.0)
}

/// Version of the resources, the part of `apiVersion` after the slash.
#[must_use]
pub fn version() -> &'static str {
    API_VERSION.split_once('/').map_or("", |it| it.1)
}

/// The CustomResourceDefinition (`apiextensions.k8s.io/v1`) of a kind.
///
/// # Errors
/// The published schema says something that a structural schema cannot.
pub fn definition(kind: ResourceKind) -> Result<Value, Unsupported> {
    let group = group();
    Ok(json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{}.{group}", kind.plural())},
        "spec": {
            "group": group,
            "names": {
                "categories": ["enforcer"],
                "kind": kind.name(),
                "listKind": format!("{}List", kind.name()),
                "plural": kind.plural(),
                "singular": kind.singular(),
            },
            "scope": kind.scope(),
            "versions": [{
                "name": version(),
                "served": true,
                "storage": true,
                "subresources": {"status": {}},
                "additionalPrinterColumns": kind.columns(),
                "schema": {"openAPIV3Schema": schema(kind)?},
            }],
        },
    }))
}

/// The structural schema of a kind.
///
/// # Errors
/// As [`definition`].
pub fn schema(kind: ResourceKind) -> Result<Value, Unsupported> {
    let definitions = Definitions::of(SCHEMA)?;
    let spec = with_defaults(&definitions, kind)?;
    let name = definitions.structural("name")?;
    let mut properties = Map::new();
    let mut add = |field: &str, schema: Value| properties.insert(field.to_owned(), schema);
    add("apiVersion", json!({"type": "string"}));
    add("kind", json!({"type": "string"}));
    add(
        "metadata",
        json!({
            "type": "object",
            "properties": {"name": {"type": "string", "pattern": name["pattern"], "maxLength": 63}},
        }),
    );
    add("status", status());
    let description = definitions.plain(kind.name())?["description"].clone();
    let required = if kind.is_policy() {
        add("canary", canary(&spec));
        json!({"anyOf": [{"required": ["spec"]}, {"required": ["canary"]}]})
    } else {
        json!({"required": ["spec"]})
    };
    add("spec", spec);
    let mut whole = json!({
        "type": "object",
        "description": description,
        "properties": properties,
    });
    if let (Value::Object(whole), Value::Object(required)) = (&mut whole, required) {
        whole.extend(required);
    }
    Ok(whole)
}

/// `spec` with the defaults of its own fields, so that `kubectl get` shows what holds. Those further
/// down are left to the reader: for it, a field that stands there was meant.
fn with_defaults(definitions: &Definitions, kind: ResourceKind) -> Result<Value, Unsupported> {
    let mut spec = definitions.structural(kind.definition())?;
    let Value::Object(fields) = &mut spec["properties"] else {
        return Ok(spec);
    };
    for (name, field) in fields {
        let plain = definitions.plain(&format!("{}/properties/{name}", kind.definition()))?;
        if let (Value::Object(field), Some(default)) = (field, plain.get("default")) {
            field.insert("default".to_owned(), default.clone());
        }
    }
    Ok(spec)
}

/// A `spec` that a share of the nodes tries.
fn canary(spec: &Value) -> Value {
    json!({
        "type": "object",
        "description": "A spec that some of the nodes enforce in the place of `spec`, until it is promoted or taken back.",
        "required": ["spec"],
        "properties": {
            "share": {
                "description": "How many of the nodes, chosen by a hash of their names and the policy's.",
                "type": "string",
                "pattern": "^(100|[1-9]?[0-9])%$",
            },
            "nodes": {
                "description": "Names of nodes that try it, whatever the share.",
                "type": "array",
                "items": {"type": "string", "minLength": 1},
                "minItems": 1,
            },
            "limit": {
                "description": "How many denials of flows that `spec` allows end the canary, counted on each node.",
                "type": "integer",
                "minimum": 0,
            },
            "spec": spec,
        },
        "anyOf": [{"required": ["share"]}, {"required": ["nodes"]}],
    })
}

/// What each node says; each owns its own element.
fn status() -> Value {
    json!({
        "type": "object",
        "description": "What the nodes make of it.",
        "properties": {
            "nodes": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["node"],
                "items": {
                    "type": "object",
                    "required": ["node", "state"],
                    "properties": {
                        "node": {"type": "string", "description": "Name of the node."},
                        "state": {
                            "type": "string",
                            "description": "What the node does with it.",
                            "enum": ["Enforced", "Canary", "Rejected", "RolledBack"],
                        },
                        "observedGeneration": {
                            "type": "integer",
                            "format": "int64",
                            "description": "`metadata.generation` that this is about.",
                        },
                        "image": {
                            "type": "integer",
                            "format": "int64",
                            "description": "Number of the node's image in force.",
                        },
                        "message": {"type": "string", "description": "Why it is not in force."},
                        "at": {"type": "string", "format": "date-time", "description": "Since when."},
                    },
                },
            },
        },
    })
}
