//! CustomResourceDefinitions: what the cluster stores is what the reader reads.

use std::path::Path;

use enforcer::policy::{
    Bundle, Code, Severity,
    crd::{self, Object, ResourceKind},
    load_on, load_with,
};
use jiff::civil::date;
use jsonschema::Validator;
use serde_json::Value;

use crate::{findings, golden};

/// Findings that the schema of the cluster cannot make, and why.
const BEYOND_THE_CLUSTER: &[(Code, &str)] = &[
    (Code::HostBits, "needs arithmetic"),
    (Code::DuplicateName, "needs the other documents"),
    (Code::UnknownRegion, "needs the other documents"),
    (Code::UnknownProvider, "needs the other documents"),
    (Code::NoResolvers, "needs another field of the policy"),
    (Code::OtherNamespace, "needs another field of the policy"),
    (Code::UnknownField, "the server refuses these by itself"),
];

fn validator(kind: ResourceKind) -> Validator {
    let schema = crd::schema(kind).expect("every keyword has a counterpart");
    jsonschema::draft4::new(&schema).expect("a schema")
}

fn objects(path: &Path) -> Vec<Object> {
    let bundle = Bundle::read(&[path.to_owned()]).expect("readable");
    crd::objects(&bundle).expect("YAML")
}

#[test]
fn the_definitions_are_those_of_the_schema() {
    for kind in ResourceKind::ALL {
        let definition = crd::definition(kind).expect("every keyword has a counterpart");
        let name = format!("{}.enforcer.dev.yaml", kind.plural());
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/crds");
        golden::check_at(&path.join(name), &crd::yaml(&definition));
    }
}

#[test]
fn the_policy_of_a_namespace_is_that_of_a_cluster_without_what_it_may_not_say() {
    let kinds = [
        ResourceKind::EgressPolicy,
        ResourceKind::NamespacedEgressPolicy,
    ];
    let [cluster, namespaced] =
        kinds.map(|kind| crd::definition(kind).expect("every keyword has a counterpart"));
    assert_eq!(cluster["spec"]["scope"], "Cluster");
    assert_eq!(namespaced["spec"]["scope"], "Namespaced");
    let version = "/spec/versions/0";
    let at = |definition: &Value, path: &str| {
        let found = definition.pointer(&format!("{version}{path}"));
        found.unwrap_or_else(|| panic!("no {path}")).clone()
    };
    let columns = "/additionalPrinterColumns";
    assert_eq!(at(&cluster, columns), at(&namespaced, columns));
    let fields = "/schema/openAPIV3Schema/properties/spec/properties";
    let (mut whole, mut part) = (at(&cluster, fields), at(&namespaced, fields));
    let selected = part["selector"]["items"]["properties"]
        .as_object()
        .expect("fields")
        .keys();
    assert_eq!(selected.collect::<Vec<_>>(), ["pods"]);
    for (fields, own) in [
        (&mut whole, ["selector", "tag"]),
        (&mut part, ["selector"; 2]),
    ] {
        let fields = fields.as_object_mut().expect("fields");
        for name in own {
            fields.remove(name);
        }
    }
    assert_eq!(whole, part);
}

/// The rules of "Specifying a structural schema" that an API server refuses a definition for.
#[test]
fn the_schemas_are_structural() {
    fn check(schema: &Value, path: &str) {
        let fields = schema.as_object().expect("a schema");
        let loose = fields.contains_key("x-kubernetes-int-or-string");
        assert!(loose || fields.contains_key("type"), "{path} has no type");
        assert!(!fields.contains_key("$ref"), "{path} refers");
        let both = fields.contains_key("properties") && fields.contains_key("additionalProperties");
        assert!(!both, "{path} has both kinds of fields");
        for part in ["allOf", "anyOf", "oneOf"] {
            for part in fields
                .get(part)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                check_logic(part, path);
            }
        }
        if let Some(part) = fields.get("not") {
            check_logic(part, path);
        }
        for below in ["items", "additionalProperties"] {
            if let Some(below) = fields.get(below) {
                check(below, &format!("{path}[]"));
            }
        }
        for (name, field) in fields
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            check(field, &format!("{path}.{name}"));
        }
    }
    fn check_logic(schema: &Value, path: &str) {
        for (keyword, value) in schema.as_object().expect("a schema") {
            let forbidden = [
                "type",
                "description",
                "default",
                "additionalProperties",
                "nullable",
            ];
            assert!(
                !forbidden.contains(&keyword.as_str()),
                "{path} has {keyword} in logic"
            );
            for part in value.as_object().into_iter().flat_map(|it| it.values()) {
                if keyword == "properties" {
                    check_logic(part, path);
                }
            }
        }
    }
    for kind in ResourceKind::ALL {
        check(&crd::schema(kind).expect("convertible"), kind.name());
    }
}

#[test]
fn every_example_is_accepted_and_reads_back_the_same() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies");
    let objects = objects(&root);
    assert!(objects.len() > 20, "only {} documents", objects.len());
    for object in &objects {
        let manifest = object.manifest();
        let errors: Vec<String> = validator(object.kind)
            .iter_errors(&manifest)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{}: {errors:?}", object.name);
    }
    let bundle = Bundle {
        files: objects.iter().map(Object::file).collect(),
    };
    let stored = load_with(&[], &bundle).expect("what is stored loads");
    let original = load_on(&[root], date(2026, 11, 22)).expect("sound");
    let names = |loaded: &enforcer::policy::Loaded| {
        let mut all: Vec<_> = loaded
            .policies
            .iter()
            .map(|it| (it.name.to_string(), it.rules.len(), it.selectors.clone()))
            .collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    };
    assert_eq!(names(&stored), names(&original));
}

#[test]
fn what_the_reader_rejects_the_cluster_does_too() {
    let (mut refused, mut passed) = (0, Vec::new());
    for path in findings::corpus("broken") {
        let findings =
            load_on(std::slice::from_ref(&path), date(2026, 11, 22)).expect_err("broken");
        let codes: Vec<Code> = findings
            .iter()
            .filter(|one| one.severity() == Severity::Error)
            .map(|one| one.code())
            .collect();
        let beyond = |code: &Code| BEYOND_THE_CLUSTER.iter().any(|(other, _)| other == code);
        let Ok(bundle) = Bundle::read(std::slice::from_ref(&path)) else {
            continue;
        };
        let Ok(objects) = crd::objects(&bundle) else {
            continue;
        };
        if codes.iter().all(beyond) || objects.is_empty() {
            continue;
        }
        let accepted = objects
            .iter()
            .all(|object| validator(object.kind).is_valid(&object.manifest()));
        if accepted {
            passed.push(findings::stem(&path).to_owned());
        } else {
            refused += 1;
        }
    }
    // What is applied has the one version that there is, whatever the file says, and a namespace is
    // part of the path in the API.
    assert_eq!(passed, ["document-api-version", "namespaced-metadata"]);
    assert!(refused > 20, "only {refused} were refused");
}
