//! The published list of fields, see `ecs-9.0.0/NOTICE.md`.

use std::{collections::HashMap, net::IpAddr, path::PathBuf};

use enforcer::events::encode::{Format, ecs::ECS_VERSION};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

/// A field of the schema.
#[derive(Deserialize)]
struct Field {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    array: bool,
    #[serde(default, alias = "expected")]
    allowed: Vec<String>,
    /// Of `event.category`: what `event.type` may be besides each.
    #[serde(default)]
    event_types: HashMap<String, Vec<String>>,
}

struct Schema(HashMap<String, Field>);

impl Schema {
    fn published() -> Self {
        let path = format!("tests/encodings/ecs-{ECS_VERSION}/fields.json");
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
        let text = std::fs::read(path).expect("the list of the version that lines name");
        Self(serde_json::from_slice(&text).expect("a list of fields"))
    }

    /// What the schema has against a document; own fields are ours to name.
    fn findings(&self, document: &Value) -> Vec<String> {
        let mut findings = Vec::new();
        let fields = document.as_object().expect("an object");
        for (name, value) in fields.iter().filter(|(name, _)| *name != "enforcer") {
            self.walk(name, value, &mut findings);
        }
        let required = ["@timestamp", "ecs.version", "event.kind"];
        for name in required {
            let pointer = format!("/{}", name.replace('.', "/"));
            if document.pointer(&pointer).is_none() {
                findings.push(format!("{name} is missing"));
            }
        }
        self.categories(&document["event"], &mut findings);
        findings
    }

    fn walk(&self, name: &str, value: &Value, findings: &mut Vec<String>) {
        match (self.0.get(name), value) {
            (Some(field), _) => {
                if !field.takes(value) {
                    findings.push(format!("{name}: {value} is no {}", field.kind));
                }
            }
            (None, Value::Object(fields)) => {
                for (inner, value) in fields {
                    self.walk(&format!("{name}.{inner}"), value, findings);
                }
            }
            (None, _) => findings.push(format!("{name} is no field")),
        }
    }

    fn categories(&self, event: &Value, findings: &mut Vec<String>) {
        let texts = |name: &str| {
            let texts = event[name].as_array().into_iter().flatten();
            texts.filter_map(Value::as_str).collect::<Vec<_>>()
        };
        let expected = &self.0["event.category"].event_types;
        let categories = texts("category");
        let fits = |kind: &str| {
            let mut types = categories
                .iter()
                .filter_map(|&category| expected.get(category));
            types.any(|types| types.iter().any(|name| name == kind))
        };
        for kind in texts("type").into_iter().filter(|kind| !fits(kind)) {
            findings.push(format!("event.type: {kind} is of none of {categories:?}"));
        }
    }
}

impl Field {
    fn takes(&self, value: &Value) -> bool {
        match value.as_array() {
            Some(values) => self.array && values.iter().all(|value| self.takes_one(value)),
            None => !self.array && self.takes_one(value),
        }
    }

    fn takes_one(&self, value: &Value) -> bool {
        let text = value.as_str();
        match self.kind.as_str() {
            "keyword" | "constant_keyword" | "wildcard" | "match_only_text" => {
                let allowed = |text: &str| self.allowed.iter().any(|allowed| allowed == text);
                text.is_some_and(|text| self.allowed.is_empty() || allowed(text))
            }
            "date" => text.is_some_and(|text| text.parse::<Timestamp>().is_ok()),
            "ip" => text.is_some_and(|text| text.parse::<IpAddr>().is_ok()),
            "long" => value.is_i64(),
            "float" | "scaled_float" => value.is_number(),
            "boolean" => value.is_boolean(),
            // Nothing else is written.
            _ => false,
        }
    }
}

#[test]
fn every_field_is_of_the_schema() {
    let schema = Schema::published();
    for document in super::objects(Format::Ecs) {
        let findings = schema.findings(&document);
        assert!(findings.is_empty(), "{findings:#?} in {document:#}");
    }
}

#[test]
fn the_list_of_fields_finds_faults() {
    let schema = Schema::published();
    let documents = super::objects(Format::Ecs);
    let faults = [
        ("/destination/ip", json!("1.2.3.400")),
        ("/destination/geo", json!({"country": "US"})),
        ("/event/kind", json!("violation")),
        ("/event/type", json!("connection")),
        ("/event/type", json!(["creation"])),
        ("/event/sequence", json!("1")),
        ("/event/start", json!("yesterday")),
        ("/network/direction", json!("out")),
        ("/process/pid", json!([1])),
        ("/process/parent", json!("init")),
        ("/ecs", json!({})),
    ];
    let full = |document: &&Value| {
        let mut pointers = faults.iter().map(|(pointer, _)| pointer);
        pointers.all(|pointer| document.pointer(pointer).is_some())
    };
    let sound = documents.iter().find(full).expect("one with all fields");
    for (pointer, fault) in &faults {
        let mut document = sound.clone();
        *document.pointer_mut(pointer).expect("a field") = fault.clone();
        assert_eq!(
            schema.findings(&document).len(),
            1,
            "{pointer}: {document:#}"
        );
    }
}
