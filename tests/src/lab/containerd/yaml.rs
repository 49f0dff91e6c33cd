//! YAML as JSON.

use anyhow::Context;
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value};

/// Every document of a text.
///
/// # Errors
/// It is no YAML, or has what JSON cannot say.
pub(super) fn documents(text: &str) -> anyhow::Result<Vec<Value>> {
    let documents = Yaml::load_from_str(text)?;
    documents.iter().map(value).collect()
}

fn value(node: &Yaml<'_>) -> anyhow::Result<Value> {
    Ok(match node {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(boolean)) => (*boolean).into(),
        Yaml::Value(Scalar::Integer(integer)) => (*integer).into(),
        Yaml::Value(Scalar::FloatingPoint(float)) => float.into_inner().into(),
        Yaml::Value(Scalar::String(text)) => text.as_ref().into(),
        Yaml::Representation(text, ..) => text.as_ref().into(),
        Yaml::Sequence(items) => items.iter().map(value).collect::<anyhow::Result<_>>()?,
        Yaml::Mapping(entries) => {
            let entries = entries.iter().map(|(key, item)| {
                let key = key.as_str().context("a key that is no text")?;
                Ok((key.to_owned(), value(item)?))
            });
            Value::Object(entries.collect::<anyhow::Result<Map<_, _>>>()?)
        }
        Yaml::Tagged(_, node) => value(node)?,
        Yaml::Alias(_) | Yaml::BadValue => anyhow::bail!("an alias, or no YAML"),
    })
}
