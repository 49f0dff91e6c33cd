//! Server-side apply: who set which field.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

type Path = Vec<String>;

/// Fields by who set them.
#[derive(Clone, Debug, Default)]
pub(super) struct Managed(BTreeMap<String, BTreeSet<Path>>);

/// Somebody else set a field to something else.
#[derive(Debug, thiserror::Error)]
#[error("Apply failed with 1 conflict: conflict with \"{manager}\": .{field}")]
pub(super) struct Conflict {
    manager: String,
    field: String,
}

impl Managed {
    /// Sets what `manifest` says, and removes what the same manager said before and nobody else says.
    pub(super) fn apply(
        &mut self,
        object: &mut Value,
        manifest: &Value,
        status: bool,
        manager: &str,
        force: bool,
    ) -> Result<(), Conflict> {
        let wanted = leaves(&keyed(manifest.clone()), status);
        *object = keyed(std::mem::take(object));
        for (path, value) in &wanted {
            let differs = at(object, path) != Some(value);
            let others = self.0.iter_mut().filter(|(other, _)| *other != manager);
            for (other, fields) in others {
                if differs && fields.contains(path) {
                    if !force {
                        *object = listed(std::mem::take(object));
                        return Err(Conflict {
                            manager: other.clone(),
                            field: path.join("."),
                        });
                    }
                    fields.remove(path);
                }
            }
        }
        let before = self.0.remove(manager).unwrap_or_default();
        for path in before.iter().filter(|path| !wanted.contains_key(*path)) {
            if !self.0.values().any(|fields| fields.contains(path)) {
                remove(object, path);
            }
        }
        for (path, value) in &wanted {
            set(object, path, value.clone());
        }
        if !wanted.is_empty() {
            self.0
                .insert(manager.to_owned(), wanted.into_keys().collect());
        }
        *object = listed(std::mem::take(object));
        Ok(())
    }
}

/// The list of nodes as a mapping: each element has an owner of its own.
fn keyed(mut object: Value) -> Value {
    if let Some(Value::Array(nodes)) = object.pointer("/status/nodes").cloned() {
        let named = nodes.into_iter().map(|node| {
            let name = node["node"].as_str().unwrap_or_default().to_owned();
            (name, node)
        });
        object["status"]["nodes"] = Value::Object(named.collect::<Map<_, _>>());
    }
    object
}

fn listed(mut object: Value) -> Value {
    if let Some(Value::Object(nodes)) = object.pointer("/status/nodes").cloned() {
        object["status"]["nodes"] = nodes.into_iter().map(|(_, node)| node).collect();
    }
    object
}

/// Every field of the part that is applied, with its value. Lists are atomic.
fn leaves(object: &Value, status: bool) -> BTreeMap<Path, Value> {
    fn walk(value: &Value, path: &Path, leaves: &mut BTreeMap<Path, Value>) {
        let fields = value.as_object().filter(|fields| !fields.is_empty());
        let Some(fields) = fields else {
            leaves.insert(path.clone(), value.clone());
            return;
        };
        for (name, field) in fields {
            let path = path.iter().chain([name]).cloned().collect();
            walk(field, &path, leaves);
        }
    }
    let mut leaves = BTreeMap::new();
    for (name, field) in object.as_object().into_iter().flatten() {
        let head = ["apiVersion", "kind", "metadata"].contains(&name.as_str());
        if !head && (name == "status") == status {
            walk(field, &vec![name.clone()], &mut leaves);
        }
    }
    leaves
}

fn at<'v>(object: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(object, |value, name| value.get(name))
}

fn set(object: &mut Value, path: &[String], value: Value) {
    let place = path.iter().fold(object, |place, name| {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        &mut place[name.as_str()]
    });
    *place = value;
}

/// Removes a field, and the mappings around it that are empty then.
fn remove(object: &mut Value, path: &[String]) {
    let Some((name, rest)) = path.split_first() else {
        return;
    };
    let Value::Object(fields) = object else {
        return;
    };
    if rest.is_empty() {
        fields.remove(name);
        return;
    }
    if let Some(field) = fields.get_mut(name) {
        remove(field, rest);
        if field.as_object().is_some_and(Map::is_empty) {
            fields.remove(name);
        }
    }
}
