//! What the server stores, and what happened to it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use enforcer::policy::{
    DocumentName,
    crd::{self, ResourceKind},
};
use jsonschema::Validator;
use serde_json::{Value, json};

use super::apply::{Conflict, Managed};

/// How a server says that a version is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// With an event of a watch that began well.
    InTheWatch,
    /// By refusing the watch.
    AtItsStart,
}

/// Why a request is refused: `Status` of `meta/v1`.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) code: u16,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) version: u64,
    pub(super) collection: String,
    pub(super) kind: &'static str,
    pub(super) object: Value,
}

/// Where an object is, and the part of it that is its own resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Part {
    collection: String,
    name: String,
    status: bool,
}

#[derive(Debug)]
pub(super) struct Store {
    objects: BTreeMap<(String, String), Value>,
    managed: BTreeMap<Part, Managed>,
    schemas: BTreeMap<String, Validator>,
    /// Whether objects of a collection belong to a namespace each.
    namespaced: BTreeMap<String, bool>,
    /// Collections that it answers 404 for.
    undefined: BTreeSet<String>,
    pub(super) version: u64,
    pub(super) history: Vec<Event>,
    /// Versions before this one are gone.
    pub(super) oldest: u64,
    pub(super) gone: Gone,
    /// Watches of an older number end.
    pub(super) epoch: u64,
    lists: Vec<String>,
    watches: BTreeMap<String, usize>,
}

impl Store {
    pub(super) fn new() -> anyhow::Result<Self> {
        let schema = |kind: ResourceKind| {
            let schema = crd::schema(kind)?;
            let validator = jsonschema::draft4::new(&schema).context("a schema")?;
            anyhow::Ok((collection(kind.plural()), validator))
        };
        let schemas = ResourceKind::ALL.into_iter().map(schema);
        let namespaced = |kind: ResourceKind| {
            let definition = crd::definition(kind)?;
            let is_namespaced = definition["spec"]["scope"] == "Namespaced";
            anyhow::Ok((collection(kind.plural()), is_namespaced))
        };
        let namespaced = ResourceKind::ALL.into_iter().map(namespaced);
        Ok(Self {
            objects: BTreeMap::new(),
            managed: BTreeMap::new(),
            schemas: schemas.collect::<Result<_, _>>()?,
            namespaced: namespaced.collect::<Result<_, _>>()?,
            undefined: BTreeSet::new(),
            version: 1,
            history: Vec::new(),
            oldest: 0,
            gone: Gone::InTheWatch,
            epoch: 0,
            lists: Vec::new(),
            watches: BTreeMap::new(),
        })
    }

    /// Whether a path that has these parts exists: that of an object has its namespace if it has one.
    pub(super) fn serves(&self, collection: &str, namespace: bool, name: bool) -> bool {
        let fits = match self.namespaced.get(collection) {
            Some(true) => namespace || !name,
            Some(false) => !namespace,
            None => true,
        };
        fits && !self.undefined.contains(collection)
    }

    pub(super) fn define(&mut self, collection: &str, is_defined: bool) {
        if is_defined {
            self.undefined.remove(collection);
        } else {
            self.undefined.insert(collection.to_owned());
        }
    }

    pub(super) fn get(&self, collection: &str, name: &str) -> Option<Value> {
        self.objects
            .get(&(collection.to_owned(), name.to_owned()))
            .cloned()
    }

    pub(super) fn list(&mut self, collection: &str) -> Vec<Value> {
        self.lists.push(collection.to_owned());
        let of_it = self.objects.iter().filter(|((of, _), _)| of == collection);
        of_it.map(|(_, object)| object.clone()).collect()
    }

    pub(super) fn lists(&self, collection: &str) -> usize {
        self.lists.iter().filter(|it| *it == collection).count()
    }

    pub(super) fn watches(&self, collection: &str) -> usize {
        self.watches.get(collection).copied().unwrap_or(0)
    }

    pub(super) fn watch_began(&mut self, collection: &str) {
        *self.watches.entry(collection.to_owned()).or_default() += 1;
    }

    pub(super) fn watch_ended(&mut self, collection: &str) {
        if let Some(count) = self.watches.get_mut(collection) {
            *count -= 1;
        }
    }

    pub(super) fn put(&mut self, collection: &str, name: &str, mut object: Value) {
        let before = self.get(collection, name);
        self.version += 1;
        let version = self.version;
        object["metadata"]["resourceVersion"] = version.to_string().into();
        set_name(&mut object, name);
        if object["metadata"]["uid"].is_null() {
            let uid = before.as_ref().map(|it| it["metadata"]["uid"].clone());
            object["metadata"]["uid"] =
                uid.unwrap_or_else(|| format!("00000000-0000-4000-8000-{version:012}").into());
        }
        let generation = match &before {
            None => 1,
            Some(before) => {
                let counted = before["metadata"]["generation"].as_u64().unwrap_or(1);
                counted + u64::from(content(before) != content(&object))
            }
        };
        object["metadata"]["generation"] = generation.into();
        self.happened(
            collection,
            before.map_or("ADDED", |_| "MODIFIED"),
            object.clone(),
        );
        self.objects
            .insert((collection.to_owned(), name.to_owned()), object);
    }

    pub(super) fn delete(&mut self, collection: &str, name: &str) {
        let key = (collection.to_owned(), name.to_owned());
        if let Some(mut object) = self.objects.remove(&key) {
            self.version += 1;
            object["metadata"]["resourceVersion"] = self.version.to_string().into();
            self.happened(collection, "DELETED", object);
        }
    }

    fn happened(&mut self, collection: &str, kind: &'static str, object: Value) {
        self.history.push(Event {
            version: self.version,
            collection: collection.to_owned(),
            kind,
            object,
        });
    }

    pub(super) fn bookmark(&mut self) {
        self.version += 1;
        let version = self.version.to_string();
        let kinds: Vec<String> = self.watches.keys().cloned().collect();
        for collection in kinds {
            let object = json!({"metadata": {"resourceVersion": version}});
            self.happened(&collection, "BOOKMARK", object);
        }
    }

    pub(super) fn forget(&mut self, how: Gone) {
        self.version += 1;
        self.oldest = self.version;
        self.history.clear();
        self.gone = how;
        self.end_watches();
    }

    pub(super) fn end_watches(&mut self) {
        self.epoch += 1;
    }

    /// Applies a manifest as `manager`.
    pub(super) fn apply_manifest(
        &mut self,
        manifest: &Value,
        manager: &str,
    ) -> Result<Value, Refusal> {
        let kind = manifest["kind"].as_str().and_then(ResourceKind::named);
        let metadata = &manifest["metadata"];
        let namespace = metadata["namespace"].as_str();
        let name = metadata["name"].as_str();
        let (Some(kind), Some(name)) = (kind, name) else {
            return Err(refusal(
                400,
                "BadRequest",
                "no kind that is known, or no name",
            ));
        };
        self.apply(
            &collection(kind.plural()),
            DocumentName::new(namespace, name).as_str(),
            manifest,
            &Application::of(manager),
        )
    }

    /// Server-side apply.
    pub(super) fn apply(
        &mut self,
        collection: &str,
        name: &str,
        manifest: &Value,
        how: &Application,
    ) -> Result<Value, Refusal> {
        let before = self.get(collection, name);
        if before.is_none() && how.status {
            return Err(refusal(404, "NotFound", format!("{name} not found")));
        }
        let part = Part {
            collection: collection.to_owned(),
            name: name.to_owned(),
            status: how.status,
        };
        let mut managed = self.managed.get(&part).cloned().unwrap_or_default();
        let mut object = before.clone().unwrap_or_else(|| {
            json!({"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], "metadata": {}})
        });
        managed
            .apply(&mut object, manifest, how.status, &how.manager, how.force)
            .map_err(|conflict: Conflict| refusal(409, "Conflict", conflict.to_string()))?;
        set_name(&mut object, name);
        if let Some(schema) = self.schemas.get(collection) {
            let errors: Vec<String> = schema
                .iter_errors(&object)
                .map(|it| it.to_string())
                .collect();
            if !errors.is_empty() {
                return Err(refusal(422, "Invalid", errors.join("; ")));
            }
        }
        if how.dry_run {
            return Ok(object);
        }
        self.managed.insert(part, managed);
        if before.as_ref() != Some(&object) {
            self.put(collection, name, object);
        }
        Ok(self.get(collection, name).unwrap_or_default())
    }
}

/// How something is applied.
#[derive(Debug)]
pub(super) struct Application {
    pub(super) manager: String,
    pub(super) force: bool,
    pub(super) dry_run: bool,
    pub(super) status: bool,
}

impl Application {
    fn of(manager: &str) -> Self {
        Self {
            manager: manager.to_owned(),
            force: false,
            dry_run: false,
            status: false,
        }
    }
}

/// The collection of a kind of this program.
fn collection(plural: &str) -> String {
    format!("/apis/{}/{}/{plural}", crd::group(), crd::version())
}

/// `NAME` or `NAMESPACE/NAME`, as the metadata say it.
fn set_name(object: &mut Value, name: &str) {
    let name = DocumentName::from(name);
    object["metadata"]["name"] = name.name().into();
    if let Some(namespace) = name.namespace() {
        object["metadata"]["namespace"] = namespace.into();
    }
}

/// What counts for `metadata.generation`.
fn content(object: &Value) -> Value {
    let mut content = object.clone();
    if let Value::Object(fields) = &mut content {
        fields.remove("metadata");
        fields.remove("status");
    }
    content
}

pub(super) fn refusal(code: u16, reason: &'static str, message: impl Into<String>) -> Refusal {
    Refusal {
        code,
        reason,
        message: message.into(),
    }
}
