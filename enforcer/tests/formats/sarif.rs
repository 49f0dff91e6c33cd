use std::path::PathBuf;

use enforcer::policy::Code;
use serde_json::{Value, json};

use super::{LOADING, MIXED, check, findings};

fn schema() -> Value {
    let path = "tests/formats/sarif-2.1.0/sarif-schema-2.1.0.json";
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    let mut schema: Value =
        serde_json::from_slice(&std::fs::read(path).expect("the schema")).expect("JSON");
    // A stray bracket makes this pattern invalid where ECMA 262 is taken at its word. Nothing here
    // writes the field.
    for definition in ["run", "toolComponent"] {
        let language = &mut schema["definitions"][definition]["properties"]["language"];
        let pattern = language.as_object_mut().expect("a field").remove("pattern");
        assert!(pattern.is_some(), "{definition} has been mended");
    }
    schema
}

fn log(paths: &[&str]) -> Value {
    let output = check(&[paths, &["--format", "sarif"]].concat());
    assert_eq!(output.status.code(), Some(1));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn logs_follow_the_schema_of_oasis() {
    let validator = jsonschema::draft7::new(&schema()).expect("the schema compiles");
    for paths in [&MIXED[..], &LOADING[..]] {
        let log = log(paths);
        let errors: Vec<String> = validator
            .iter_errors(&log)
            .map(|error| format!("{} at {}", error, error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:#?}");
        let mut broken = log.clone();
        broken["runs"][0]["results"][0]["level"] = json!("fatal");
        assert!(!validator.is_valid(&broken), "the schema checks nothing");
    }
}

#[test]
fn every_finding_is_a_result_with_its_rule_and_place() {
    for paths in [&MIXED[..], &LOADING[..]] {
        let (log, report) = (log(paths), super::json(paths));
        let run = &log["runs"][0];
        let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
        let ids: Vec<&str> = rules
            .iter()
            .filter_map(|rule| rule["id"].as_str())
            .collect();
        assert_eq!(ids, Code::ALL.map(|(_, _, name)| name));
        let results = run["results"].as_array().expect("results");
        assert_eq!(results.len(), findings(&report).len());
        for (result, finding) in results.iter().zip(findings(&report)) {
            assert_eq!(result["ruleId"], finding["code"]);
            let index = result["ruleIndex"].as_u64().expect("an index") as usize;
            assert_eq!(rules[index]["id"], finding["code"]);
            assert_eq!(result["level"], finding["severity"]);
            let place = &result["locations"][0]["physicalLocation"];
            assert_eq!(place["artifactLocation"]["uri"], finding["file"]);
            assert_eq!(place["region"]["startLine"], finding["line"]);
            assert_eq!(place["region"]["startColumn"], finding["column"]);
            let text = result["message"]["text"].as_str().expect("text");
            assert!(text.starts_with(finding["message"].as_str().expect("text")));
            let related = &result["relatedLocations"][0]["physicalLocation"];
            assert_eq!(related["region"]["startLine"], finding["related"]["line"]);
        }
    }
}

#[test]
fn paths_become_uris() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("a policy#1%.yaml");
    std::fs::write(&file, "kind: [").expect("written");
    let log = log(&[file.to_str().expect("a plain path")]);
    let place = &log["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    let uri = place["artifactLocation"]["uri"].as_str().expect("text");
    assert!(uri.starts_with("file:///"), "{uri}");
    assert!(uri.ends_with("/a%20policy%231%25.yaml"), "{uri}");
}
