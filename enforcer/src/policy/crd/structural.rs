//! JSON Schema to what an API server takes: structural schemas of `apiextensions.k8s.io/v1`.
//!
//! Each field has one type, nothing is referred to, and `allOf`, `anyOf`, `oneOf` and `not` hold
//! validations alone (Kubernetes, "Specifying a structural schema"). Fields that are not named need no
//! keyword: the server prunes or refuses them. Patterns are RE2: the published schema uses no
//! look-around.

use serde_json::{Map, Value};

/// Something that a structural schema cannot say.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// The text is not a schema.
    #[error("the schema is not JSON with `$defs`")]
    NotASchema,
    /// There is no such definition.
    #[error("`{0}` is not among the definitions")]
    Undefined(String),
    /// A keyword without a counterpart.
    #[error("`{keyword}` with the value {value} has no counterpart in a structural schema")]
    Keyword {
        /// The keyword.
        keyword: String,
        /// What it says, as JSON.
        value: String,
    },
}

/// The definitions of a schema.
pub(super) struct Definitions(Value);

/// Where a schema stands: what the outer ones say must not be repeated inside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    /// A field, an element, or the whole.
    Structure,
    /// `allOf`, `anyOf`, `oneOf` or `not`.
    Logic,
}

impl Definitions {
    pub(super) fn of(schema: &str) -> Result<Self, Unsupported> {
        let mut schema: Value =
            serde_json::from_str(schema).map_err(|_| Unsupported::NotASchema)?;
        let definitions = schema["$defs"].take();
        if !definitions.is_object() {
            return Err(Unsupported::NotASchema);
        }
        Ok(Self(definitions))
    }

    /// A definition as it is published, or a part of one such as `rule/properties/name`.
    pub(super) fn plain(&self, path: &str) -> Result<Value, Unsupported> {
        Ok(Value::Object(self.resolved(self.find(path)?)?))
    }

    /// A definition as a structural schema.
    pub(super) fn structural(&self, name: &str) -> Result<Value, Unsupported> {
        let definition = Value::Object(self.find(name)?.clone());
        self.convert(&definition, Within::Structure)
    }

    fn find(&self, path: &str) -> Result<&Map<String, Value>, Unsupported> {
        let found = self.0.pointer(&format!("/{path}"));
        found
            .and_then(Value::as_object)
            .ok_or_else(|| Unsupported::Undefined(path.to_owned()))
    }

    fn convert(&self, schema: &Value, within: Within) -> Result<Value, Unsupported> {
        let whole = || unsupported("schema", schema);
        let schema = self.resolved(schema.as_object().ok_or_else(whole)?)?;
        let mut converted = Map::new();
        for (keyword, value) in &schema {
            match keyword.as_str() {
                "type" if within == Within::Structure => {
                    let (keyword, value) = one_type(value)?;
                    converted.insert(keyword.to_owned(), value);
                }
                "type" => {}
                "description" if within == Within::Structure => {
                    converted.insert(keyword.clone(), value.clone());
                }
                // Left to the reader, or said by the structure alone.
                "description" | "default" => {}
                "additionalProperties" if *value == Value::Bool(false) => {}
                "additionalProperties" | "items" => {
                    converted.insert(keyword.clone(), self.convert(value, within)?);
                }
                "properties" => {
                    let fields = value.as_object().ok_or_else(whole)?;
                    let fields = fields
                        .iter()
                        .map(|(name, field)| Ok((name.clone(), self.convert(field, within)?)));
                    let fields: Map<_, _> = fields.collect::<Result<_, Unsupported>>()?;
                    converted.insert(keyword.clone(), Value::Object(fields));
                }
                "allOf" | "anyOf" | "oneOf" => {
                    let parts = value.as_array().ok_or_else(whole)?.iter();
                    let parts = parts.map(|part| self.convert(part, Within::Logic));
                    converted.insert(keyword.clone(), parts.collect::<Result<_, _>>()?);
                }
                "not" => {
                    converted.insert(keyword.clone(), self.convert(value, Within::Logic)?);
                }
                "const" => {
                    converted.extend(choices(std::slice::from_ref(value), within));
                }
                "enum" => {
                    converted.extend(choices(value.as_array().ok_or_else(whole)?, within));
                }
                "pattern" if value.as_str().is_some_and(|it| it.contains("(?!")) => {
                    return Err(unsupported(keyword, value));
                }
                "required" | "minItems" | "maxItems" | "minProperties" | "maxProperties"
                | "pattern" | "minimum" | "maximum" => {
                    converted.insert(keyword.clone(), value.clone());
                }
                _ => return Err(unsupported(keyword, value)),
            }
        }
        if converted.get("type").is_some_and(|it| it == "string") {
            // They bounded the numbers among what was text too.
            converted.remove("minimum");
            converted.remove("maximum");
        }
        Ok(Value::Object(converted))
    }

    /// A schema with what it refers to in the place of the reference. What stands beside it wins.
    fn resolved(&self, schema: &Map<String, Value>) -> Result<Map<String, Value>, Unsupported> {
        let Some(reference) = schema.get("$ref") else {
            return Ok(schema.clone());
        };
        let path = reference
            .as_str()
            .and_then(|it| it.strip_prefix("#/$defs/"))
            .ok_or_else(|| unsupported("$ref", reference))?;
        let mut resolved = self.resolved(self.find(path)?)?;
        let beside = schema.iter().filter(|(keyword, _)| *keyword != "$ref");
        resolved.extend(beside.map(|(keyword, value)| (keyword.clone(), value.clone())));
        Ok(resolved)
    }
}

/// The reader takes numbers and `true` for text; in a cluster, text is text.
fn one_type(value: &Value) -> Result<(&'static str, Value), Unsupported> {
    let Some(several) = value.as_array() else {
        return Ok(("type", value.clone()));
    };
    let has = |name: &str| several.iter().any(|it| it == name);
    match several.len() {
        2 if has("integer") && has("string") => {
            Ok(("x-kubernetes-int-or-string", Value::Bool(true)))
        }
        _ if has("string") => Ok(("type", "string".into())),
        _ => Err(unsupported("type", value)),
    }
}

/// `true` may be written as text too; a field of an API has one type.
fn choices(values: &[Value], within: Within) -> Vec<(String, Value)> {
    let truths: Vec<Value> = values
        .iter()
        .filter(|it| it.is_boolean())
        .cloned()
        .collect();
    let (kind, values) = if truths.is_empty() {
        ("string", values.to_vec())
    } else {
        ("boolean", truths)
    };
    let kind = (within == Within::Structure).then(|| ("type".to_owned(), kind.into()));
    kind.into_iter()
        .chain([("enum".to_owned(), Value::Array(values))])
        .collect()
}

fn unsupported(keyword: &str, value: &Value) -> Unsupported {
    Unsupported::Keyword {
        keyword: keyword.to_owned(),
        value: value.to_string(),
    }
}
