//! Complete documents, and what happens to them.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// A field that no document has, and that resembles none.
const STRANGE: &str = "qqqqqqqqqqqqqqqqqqqq";

/// Values that some field takes, and values just beside them, with spaces between.
const SCALARS: &str = "\
    allow deny enforce audit judge Allow loopback private link-local metadata DE de UK XK ZZ NO \
    eea EEA 13335 AS13335 as7 AS0 AS007 AS-1 10.0.0.0/8 10.0.0.0 10.0.0.0/08 10.0.0.0/33 \
    10.0.0/8 256.0.0.1 010.0.0.0/8 10.0.0.0/ 10.0.0.0/8/8 2001:db8::/32 :: ::1 ::/0 \
    ::ffff:10.0.0.0/104 2001:db8::/129 fe80::1%eth0 443/tcp 443 tcp tcp/443 9000-9010/udp 0/tcp \
    65535/tcp 65536/tcp 0443/tcp -1/tcp 1-/tcp 443/icmp icmp icmpv6 proto/47 proto/0 proto/255 \
    proto/256 proto/047 gre 443/gre esp 443/TCP / /llm /llm/ llm /llm/** /llm/* \
    /llm/v*m@*.service /llm/**x /llm/*** //llm /llm/../x /llm/.x /llm? /sys/fs/cgroup/llm \
    /sys/fs/cgroup /sys/fs/cgroups vllm@70b.service vllm user.slice a/b.service *.service \
    2026-11-22 2026-11-22T17:30Z 2026-11-22T24:00Z 2026-11-22T17:30 2026-13-01 2026-1-1 20261122 api.example.com api.example.com. API.example.com \
    *.example.com -a.example.com a-.example.com a..b . _dmarc.example.com 10.1 1.2.3.4 \
    https://a.example.com a.example.com:443 büro.example.com name-1 Name -name name- a a_b true \
    null enforcer.dev/v1 enforcer.dev/v1alpha1 EgressPolicy NamespacedEgressPolicy Provider";

/// A document of each kind that has every field.
fn complete() -> [Value; 7] {
    let version = "enforcer.dev/v1alpha1";
    let endpoints = json!([
        {"host": "api.example.com", "addresses": ["192.0.2.1"], "ports": ["443/tcp"]},
        {"provider": "openai", "ports": ["443/tcp"]},
    ]);
    let flow = |from: Value| {
        json!({"apiVersion": version, "kind": "DataFlow", "metadata": {"name": "x"}, "spec": {
            "description": "why", "owner": "me", "purpose": "what for", "legalBasis": ["GDPR-Art-6"],
            "dataCategories": ["customer-pii"], "from": from, "to": endpoints,
        }})
    };
    [
        json!({"apiVersion": version, "kind": "EgressPolicy", "metadata": {"name": "x"}, "spec": {
            "description": "why", "selector": [
                {"exec": true}, {"cgroups": ["/llm/**"]}, {"systemdUnits": ["vllm@*.service"]},
                {"pods": {
                    "namespaces": ["llm"], "matchLabels": {"app": "vllm"},
                    "matchExpressions": [{"key": "tier", "operator": "In", "values": ["gpu"]}],
                }},
            ],
            "tag": {"mark": 0x5e0, "dscp": "AF21"},
            "mode": "enforce", "dataCategories": ["customer-pii"], "legalBasis": ["GDPR-Art-44"],
            "default": "deny", "replies": "allow", "requireDpa": true,
            "dns": {"resolvers": ["cluster-dns", "10.0.0.53"]},
            "rules": [{
                "name": "one", "action": "allow", "ports": ["443/tcp"],
                "peers": [{
                    "regions": ["eea"], "countries": ["DE"], "anycast": "allow", "asns": [13335],
                    "ranges": ["private"], "cidrs": ["10.0.0.0/8"], "except": ["10.1.0.0/16"],
                }],
            }, {
                "name": "two", "action": "deny",
                "peers": [{"fqdns": ["api.example.com", "*.example.com"]}, {"providers": ["openai"]}],
            }],
        }}),
        json!({
            "apiVersion": version, "kind": "NamespacedEgressPolicy",
            "metadata": {"name": "x", "namespace": "llm"},
            "spec": {
                "description": "why", "selector": [{"pods": {
                    "namespaces": ["llm"], "matchLabels": {"app": "vllm"},
                    "matchExpressions": [{"key": "tier", "operator": "In", "values": ["gpu"]}],
                }}],
                "mode": "enforce", "dataCategories": ["customer-pii"], "legalBasis": ["GDPR-Art-44"],
                "default": "deny", "replies": "allow", "requireDpa": true,
                "dns": {"resolvers": ["cluster-dns"]},
                "rules": [{"name": "one", "action": "allow", "peers": [{"countries": ["DE"]}]}],
            },
        }),
        json!({"apiVersion": version, "kind": "Provider", "metadata": {"name": "x"}, "spec": {
            "description": "why",
            "endpoints": [{
                "hosts": ["api.example.com", "*.example.com"], "cidrs": ["192.0.2.0/24"], "asns": [64500],
                "processing": {"regions": ["eea"], "countries": ["CH"]}, "residency": "if",
                "source": "law", "checked": "2026-11-22",
            }],
            "dpa": {"status": "signed", "reference": "1", "expires": "2027-12-31T17:30Z"},
        }}),
        json!({"apiVersion": version, "kind": "Region", "metadata": {"name": "x"}, "spec": {
            "description": "why", "members": [{
                "countries": ["DE"], "source": "law", "condition": "if", "validFrom": "2026-01-01",
                "validUntil": "2027-12-31", "checked": "2026-11-22",
            }],
        }}),
        flow(json!({"cgroup": "/crm/sync"})),
        flow(json!({"systemdUnit": "crm.service"})),
        flow(json!({"pod": {"namespace": "crm", "labels": {"app": "sync"}}})),
    ]
}

/// Every document with every change, each under a name of its own unless that is what changed.
pub(crate) fn all() -> Vec<Value> {
    let mut changed = Vec::new();
    let mut seen = BTreeSet::new();
    for document in named(complete()) {
        changed.push(document.clone());
        // The origins of flows differ, and nothing else of them.
        let is_repeated = document.pointer("/spec/from/cgroup").is_none()
            && document.pointer("/spec/from").is_some();
        let below = if is_repeated { "/spec/from" } else { "" };
        let pointers = pointers(&document).into_iter();
        for pointer in pointers.filter(|pointer| pointer.starts_with(below)) {
            for replacement in replacements(&document, &pointer) {
                let mut document = document.clone();
                *document.pointer_mut(&pointer).expect("it is there") = replacement;
                if seen.insert(document.to_string()) {
                    changed.push(document);
                }
            }
        }
    }
    named(changed).collect()
}

/// Every document with [`STRANGE`] in each of its mappings.
pub(crate) fn with_unknown_fields() -> Vec<Value> {
    let mut changed = Vec::new();
    for document in complete() {
        for pointer in pointers(&document) {
            let mut document = document.clone();
            let target = document.pointer_mut(&pointer).expect("it is there");
            if let Value::Object(fields) = target {
                fields.insert(STRANGE.to_owned(), json!(1));
                changed.push(document);
            }
        }
    }
    named(changed).collect()
}

/// Whether what is wrong with a document is a number within a text: a pattern could say it, at a
/// length that nobody could check.
pub(crate) fn is_beyond_a_pattern(document: &Value) -> bool {
    ["9010-9000/tcp", "2026-02-30", "2025-01-01"]
        .iter()
        .any(|text| document.to_string().contains(text))
}

fn named(documents: impl IntoIterator<Item = Value>) -> impl Iterator<Item = Value> {
    documents
        .into_iter()
        .enumerate()
        .map(|(index, mut document)| {
            if let Some(name) = document.pointer_mut("/metadata/name")
                && name.as_str().is_some_and(|name| name.starts_with('x'))
            {
                *name = json!(format!("x{index}"));
            }
            document
        })
}

/// Every place below the document, and itself.
fn pointers(document: &Value) -> Vec<String> {
    let mut pointers = vec![String::new()];
    let mut next = 0;
    while let Some(pointer) = pointers.get(next).cloned() {
        next += 1;
        match document.pointer(&pointer) {
            Some(Value::Object(fields)) => {
                pointers.extend(fields.keys().map(|key| format!("{pointer}/{key}")));
            }
            Some(Value::Array(items)) => {
                pointers.extend((0..items.len()).map(|index| format!("{pointer}/{index}")));
            }
            _ => {}
        }
    }
    pointers
}

fn replacements(document: &Value, pointer: &str) -> Vec<Value> {
    let value = document.pointer(pointer).expect("it is there");
    let mut replacements = vec![
        json!(null),
        json!([]),
        json!({}),
        json!(true),
        json!(7),
        json!(1.5),
        json!(-1),
    ];
    replacements.push(json!([value]));
    replacements.push(json!({"a": value}));
    match value {
        Value::Object(fields) => {
            for key in fields.keys() {
                let mut fewer = fields.clone();
                fewer.remove(key);
                replacements.push(Value::Object(fewer));
                replacements.push(Value::Object(Map::from_iter([(
                    key.clone(),
                    fields[key].clone(),
                )])));
            }
            let mut more = fields.clone();
            more.insert(STRANGE.to_owned(), json!(1));
            replacements.push(Value::Object(more));
        }
        Value::Array(items) => {
            replacements.push(items.iter().cloned().chain([json!(null)]).collect());
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            let odd = [STRANGE, "two words", " ", ""].into_iter();
            replacements.extend(SCALARS.split(' ').chain(odd).map(|text| json!(text)));
        }
    }
    // Not the document itself: without a kind there is nothing to compare.
    if pointer.is_empty() {
        replacements.retain(Value::is_object)
    }
    replacements
}
