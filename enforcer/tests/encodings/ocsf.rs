//! The JSON Schemas of the classes, see `ocsf-1.5.0/NOTICE.md`.

use std::{collections::HashMap, path::PathBuf};

use enforcer::events::encode::{Format, ocsf::OCSF_VERSION};
use jsonschema::Validator;
use serde_json::{Value, json};

struct Classes(HashMap<u64, Validator>);

impl Classes {
    fn published() -> Self {
        let class = |uid| {
            let path = format!("tests/encodings/ocsf-{OCSF_VERSION}/{uid}.json");
            let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
            let text = std::fs::read(path).expect("the schema of the version that lines name");
            let schema = serde_json::from_slice(&text).expect("JSON");
            (
                uid,
                jsonschema::draft202012::new(&schema).expect("a schema"),
            )
        };
        Self([2004, 4001, 6002].map(class).into())
    }

    /// What the schema of its class has against a document.
    fn findings(&self, document: &Value) -> Vec<String> {
        let class = document["class_uid"].as_u64();
        let Some(schema) = class.and_then(|class| self.0.get(&class)) else {
            return vec![format!("class {class:?}")];
        };
        let mut findings: Vec<String> = schema
            .iter_errors(document)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        // What the schema says in words only.
        let number = |name: &str| document[name].as_u64().unwrap_or_default();
        if number("type_uid") != number("class_uid") * 100 + number("activity_id") {
            findings.push("type_uid is not of class and activity".to_owned());
        }
        findings
    }
}

#[test]
fn every_record_is_of_its_class() {
    let classes = Classes::published();
    for document in super::objects(Format::Ocsf) {
        let findings = classes.findings(&document);
        assert!(findings.is_empty(), "{findings:#?} in {document:#}");
    }
}

#[test]
fn the_schemas_find_faults() {
    let classes = Classes::published();
    let documents = super::objects(Format::Ocsf);
    let violation = |document: &&Value| document.pointer("/actor/process/pid").is_some();
    let sound = documents
        .iter()
        .find(violation)
        .expect("one with a process");
    let faults = [
        ("/action_id", json!(5)),
        ("/disposition_id", json!("2")),
        ("/severity_id", json!(7)),
        ("/dst_endpoint/ip", json!("nowhere")),
        ("/connection_info", json!({"protocol_num": 6})),
        ("/actor/process/pid", json!("7")),
        ("/metadata/product", json!({"maker": "x"})),
        ("/unmapped", json!([])),
        ("/type_uid", json!(400_100)),
    ];
    for (pointer, fault) in faults {
        let mut document = sound.clone();
        *document.pointer_mut(pointer).expect("a field") = fault;
        assert!(
            !classes.findings(&document).is_empty(),
            "{pointer}: {document:#}"
        );
    }
    let finding = documents
        .iter()
        .find(|document| document["class_uid"] == 2004);
    let mut finding = finding.expect("a finding").clone();
    finding["evidences"][0] = json!({});
    assert!(!classes.findings(&finding).is_empty());
    // Without the profile, the fields of a control are none.
    let mut stranger = sound.clone();
    stranger["class_uid"] = json!(6002);
    stranger["type_uid"] = json!(600_205);
    assert!(!classes.findings(&stranger).is_empty());
}
