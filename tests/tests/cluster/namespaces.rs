//! Policies of one namespace: what they say holds there, and nowhere else.

use std::fs;

use enforcer_tests::lab::{Cgroup, Gone, assert_fields};
use serde_json::{Value, json};

use crate::lab::{DE, Lab, NAMESPACED, NODE, NOWHERE, OTHER_UID, POLICIES, UID, US, policy, said};

/// Two pods that differ in their namespace alone, and what the cluster says of both: DE and US.
struct Pods {
    llm: Cgroup,
    web: Cgroup,
    _kubepods: Cgroup,
    lab: Lab,
}

impl Pods {
    fn new() -> Self {
        let lab = Lab::new();
        for (name, uid) in [("llm/vllm-0", UID), ("web/vllm-0", OTHER_UID)] {
            let labels = json!({"app": "vllm"});
            lab.server.put_pod(NODE, name, uid, &labels);
        }
        let kubepods = lab.node.root.child("kubepods").expect("a cgroup");
        let pod = |uid: &str| kubepods.child(&format!("pod{uid}")).expect("a cgroup");
        let selector = json!({"pods": {"namespaces": ["*"]}});
        let mut both = policy("both", &selector, "DE");
        both["spec"]["rules"][0]["peers"] = json!([{"countries": ["DE", "US"]}]);
        lab.server.apply(&both).expect("applied");
        Self {
            llm: pod(UID),
            web: pod(OTHER_UID),
            _kubepods: kubepods,
            lab,
        }
    }

    /// Waits until both pods reach what the cluster allows, and asserts that they reach nothing else.
    fn assert_the_cluster_alone_decides(&self) {
        for pod in [&self.llm, &self.web] {
            let passes = self.lab.server.wait_until(|_| self.lab.passes(pod, US));
            passes.expect("nothing narrows it");
            assert!(self.lab.passes(pod, DE) && self.lab.refused(pod, NOWHERE));
        }
    }

    /// Asserts that the policy of the namespace keeps one pod from US, and gives neither anything.
    fn assert_narrowed(&self) {
        assert!(self.lab.refused(&self.llm, US) && self.lab.passes(&self.llm, DE));
        assert!(self.lab.passes(&self.web, US) && self.lab.passes(&self.web, DE));
        for pod in [&self.llm, &self.web] {
            assert!(self.lab.refused(pod, NOWHERE), "the cluster denies it");
        }
    }
}

/// Allows everything but `country`, for every pod of `llm`.
fn narrow(country: &str) -> Value {
    json!({
        "apiVersion": "enforcer.dev/v1alpha1",
        "kind": "NamespacedEgressPolicy",
        "metadata": {"name": "narrow", "namespace": "llm"},
        "spec": {
            "selector": [{"pods": {}}],
            "default": "allow",
            "rules": [{"name": "not", "action": "deny", "peers": [{"countries": [country]}]}],
        },
    })
}

#[test]
fn it_narrows_what_pods_of_its_namespace_reach_and_no_others() {
    let mut pods = Pods::new();
    pods.lab.server.apply(&narrow("US")).expect("applied");
    let daemon = pods.lab.start();
    pods.lab.wait_for("llm/narrow", 1, "Enforced");
    pods.lab.wait_for("both", 1, "Enforced");
    let known = |pod| pods.lab.server.wait_until(|_| pods.lab.passes(pod, DE));
    known(&pods.llm).expect("the pod is told of");
    known(&pods.web).expect("the pod is told of");
    pods.assert_narrowed();
    let instance = &pods.lab.node.instance;
    let listed = instance.ask(&["policy", "list", "--json"]).expect("a list");
    let names: Vec<&str> = listed
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|it| it["name"].as_str())
        .collect();
    assert_eq!(names, ["both", "llm/narrow"]);
    let shown = instance.ask(&["policy", "show", "llm/narrow", "--json"]);
    let text = shown.expect("a text")["text"].clone();
    let text = text.as_str().expect("text");
    assert!(text.contains("kind: NamespacedEgressPolicy"), "{text}");
    let told = pods.lab.node.events.wait_until(|events| {
        let by_it = |event: &Value| event["rule"]["ruleset"] == "llm/narrow";
        events.iter().any(by_it)
    });
    told.expect("an event that names it");

    // The server forgets, and the policy changes.
    pods.lab.server.forget(Gone::AtItsStart);
    pods.lab.server.apply(&narrow("DE")).expect("applied");
    pods.lab.wait_for("llm/narrow", 2, "Enforced");
    assert!(pods.lab.refused(&pods.llm, DE) && pods.lab.passes(&pods.llm, US));
    pods.lab.server.apply(&narrow("US")).expect("applied");
    pods.lab.wait_for("llm/narrow", 3, "Enforced");

    // What selects pods of another namespace is not taken, and what was in force stays.
    let mut greedy = narrow("DE");
    greedy["spec"]["selector"] = json!([{"pods": {"namespaces": ["web"]}}]);
    pods.lab.server.apply(&greedy).expect("applied");
    pods.lab.wait_for("llm/narrow", 4, "Rejected");
    let why = said(&pods.lab.server, "llm/narrow")["message"].clone();
    let why = why.as_str().expect("a reason");
    assert!(
        why.starts_with("namespacedegresspolicies/llm/narrow:")
            && why.contains("leave `namespaces` out"),
        "{why}"
    );
    pods.assert_narrowed();

    // Without the server, over a restart: pods are not known then, and none gets more than it had.
    pods.lab.server.stop();
    pods.lab.wait_for_event("source-failing", 1);
    pods.assert_narrowed();
    daemon.kill().expect("killed");
    let _daemon = pods.lab.start();
    let listed = pods.lab.node.instance.ask(&["policy", "list", "--json"]);
    let listed = listed.expect("a list");
    assert_eq!(listed[1]["name"], "llm/narrow", "{listed}");
    assert!(!pods.lab.passes(&pods.llm, US));
    pods.lab.server.start().expect("the server again");
    let known = |pod| pods.lab.server.wait_until(|_| pods.lab.passes(pod, DE));
    known(&pods.llm).expect("the pod is told of");
    known(&pods.web).expect("the pod is told of");
    pods.assert_narrowed();

    pods.lab.server.delete(NAMESPACED, "llm/narrow");
    pods.assert_the_cluster_alone_decides();
}

#[test]
fn a_cluster_without_the_definition_is_followed_all_the_same() {
    let pods = Pods::new();
    pods.lab.server.define(NAMESPACED, false);
    let daemon = pods.lab.start();
    pods.lab.wait_for("both", 1, "Enforced");
    pods.assert_the_cluster_alone_decides();
    let status = pods.lab.node.status().expect("a status");
    assert_fields(&status, &[("/cluster/reachable", json!(false))]);
    let why = status["cluster"]["error"].as_str().expect("a reason");
    assert!(why.contains("namespacedegresspolicies: 404"), "{why}");

    pods.lab.server.define(NAMESPACED, true);
    pods.lab.server.apply(&narrow("US")).expect("applied");
    pods.lab.wait_for("llm/narrow", 1, "Enforced");
    pods.assert_narrowed();

    // That its definition went says nothing of it, and others are followed as before.
    daemon.kill().expect("killed");
    pods.lab.server.define(NAMESPACED, false);
    let _daemon = pods.lab.start();
    let mut both = pods.lab.server.get(POLICIES, "both");
    both["metadata"] = json!({"name": "both"});
    both["spec"]["description"] = json!("still followed");
    pods.lab.server.apply(&both).expect("applied");
    pods.lab.wait_for("both", 2, "Enforced");
    let known = |pod| pods.lab.server.wait_until(|_| pods.lab.passes(pod, DE));
    known(&pods.llm).expect("the pod is told of");
    known(&pods.web).expect("the pod is told of");
    pods.assert_narrowed();
    pods.lab.server.define(NAMESPACED, true);
    pods.lab.server.delete(NAMESPACED, "llm/narrow");
    pods.assert_the_cluster_alone_decides();
}

#[test]
fn it_is_pushed_tried_and_promoted_by_its_whole_name() {
    let pods = Pods::new();
    pods.lab.put_node(NODE, "a");
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("narrow.yaml");
    let path_text = path.to_str().expect("a plain path");
    let file = |policy: &Value| {
        // JSON is YAML too.
        fs::write(&path, policy.to_string()).expect("written");
        path_text
    };
    let mut nowhere = narrow("US");
    nowhere["metadata"] = json!({"name": "narrow"});
    let why = pods.lab.fails(&["push", "--cluster", file(&nowhere)]);
    assert!(
        why.contains("narrow.yaml:1:") && why.contains("add the field `namespace`"),
        "{why}"
    );
    let lists = pods.lab.server.lists(POLICIES);
    pods.lab.done(&["push", "--cluster", file(&narrow("US"))]);
    // Who writes to one namespace need not read what others say.
    assert_eq!(pods.lab.server.lists(POLICIES), lists);
    pods.lab.server.delete(NAMESPACED, "llm/narrow");

    let _daemon = pods.lab.start();
    pods.assert_the_cluster_alone_decides();
    let said = pods
        .lab
        .done(&["push", "--cluster", "--wait", file(&narrow("US"))]);
    for words in [
        "created    NamespacedEgressPolicy/llm/narrow, generation 1",
        "NamespacedEgressPolicy/llm/narrow enforces generation 1",
    ] {
        assert!(said.contains(words), "{said}");
    }
    pods.assert_narrowed();

    let try_de = ["push", "--cluster", "--wait", "--nodes", "zone=a"];
    let words = [&try_de[..], &[file(&narrow("DE"))]].concat();
    pods.lab.done(&words);
    pods.lab.wait_for("llm/narrow", 2, "Canary");
    assert!(pods.lab.refused(&pods.llm, DE) && pods.lab.passes(&pods.llm, US));
    pods.lab.done(&["promote", "--abort", "llm/narrow"]);
    pods.lab.wait_for("llm/narrow", 3, "Enforced");
    pods.assert_narrowed();
    pods.lab.done(&words);
    pods.lab.wait_for("llm/narrow", 4, "Canary");
    pods.lab.done(&["promote", "llm/narrow"]);
    let object = pods.lab.server.get(NAMESPACED, "llm/narrow");
    let generation = object["metadata"]["generation"].as_u64().expect("a number");
    pods.lab.wait_for("llm/narrow", generation, "Enforced");
    assert!(pods.lab.refused(&pods.llm, DE) && pods.lab.passes(&pods.web, DE));
}

#[test]
fn what_is_too_much_for_an_image_keeps_the_cluster_not_out() {
    let pods = Pods::new();
    let _daemon = pods.lab.start();
    pods.assert_the_cluster_alone_decides();
    let mut names = narrow("US");
    names["spec"]["dns"] = json!({"resolvers": ["10.0.0.53"]});
    let rule = |number: usize| {
        let peer = json!({"fqdns": [format!("a{number}.example.com")]});
        json!({"name": format!("rule-{number}"), "action": "allow", "peers": [peer]})
    };
    names["spec"]["rules"] = (0..200).map(rule).collect();
    pods.lab.server.apply(&names).expect("applied");
    pods.lab.wait_for("llm/narrow", 1, "Rejected");
    let why = said(&pods.lab.server, "llm/narrow")["message"].clone();
    let why = why.as_str().expect("a reason");
    assert!(why.contains("different lists of names"), "{why}");

    let selector = json!({"pods": {"namespaces": ["*"]}});
    pods.lab.server.delete(POLICIES, "both");
    let one = policy("one", &selector, "DE");
    pods.lab.server.apply(&one).expect("applied");
    pods.lab.wait_for("one", 1, "Enforced");
    for pod in [&pods.llm, &pods.web] {
        assert!(pods.lab.passes(pod, DE) && pods.lab.refused(pod, US));
    }
}
