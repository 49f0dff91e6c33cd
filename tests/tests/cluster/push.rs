//! Policies that are pushed to a cluster.

use serde_json::json;

use crate::lab::{DE, Lab, NODE, NODES, POLICIES, US, said};

#[test]
fn a_push_says_node_by_node_what_became_of_it() {
    let lab = Lab::new();
    lab.put_node(NODE, "a");
    let _daemon = lab.start();
    let said = lab.done(&["push", "--cluster", "--wait", &lab.file("pushed", "DE")]);
    assert!(
        said.contains("created    EgressPolicy/pushed, generation 1"),
        "{said}"
    );
    assert!(
        said.contains("node-a") && said.contains("enforces generation 1"),
        "{said}"
    );
    assert!(lab.only(DE, US));

    // What is broken is not even sent.
    lab.fails(&["push", "--cluster", "--wait", &lab.file("broken", "XX")]);
    assert!(lab.server.get(POLICIES, "broken").is_null());

    // Somebody else decides over the fields.
    let mut other = lab.server.get(POLICIES, "pushed");
    other["spec"]["default"] = json!("allow");
    other["metadata"] = json!({"name": "pushed"});
    lab.server.apply(&other).expect_err("a conflict");
    lab.apply("theirs", "DE");
    let theirs = lab.file("theirs", "US");
    let why = lab.fails(&["push", "--cluster", "--wait", &theirs]);
    assert!(
        why.contains("kubectl") && why.contains("--force-conflicts"),
        "{why}"
    );
    lab.done(&["push", "--cluster", "--wait", &theirs, "--force-conflicts"]);

    // A node that does not answer is named.
    lab.server.put(NODES, "node-b", json!({"metadata": {}}));
    let changed = lab.file("pushed", "US");
    let why = lab.fails(&["push", "--cluster", "--wait", &changed, "--timeout", "1"]);
    assert!(why.contains("node-b has not answered"), "{why}");
}

#[test]
fn some_nodes_try_a_policy_until_it_is_promoted() {
    let lab = Lab::new();
    lab.put_node(NODE, "a");
    lab.put_node("node-b", "b");
    let _daemon = lab.start();
    lab.done(&["push", "--cluster", &lab.file("pushed", "DE")]);
    lab.wait_for("pushed", 1, "Enforced");

    let changed = lab.file("pushed", "US");
    lab.done(&["push", "--cluster", "--wait", "--nodes", "zone=a", &changed]);
    lab.wait_for("pushed", 2, "Canary");
    assert!(lab.only(US, DE));
    lab.done(&["promote", "--abort", "pushed"]);
    lab.wait_for("pushed", 3, "Enforced");
    assert!(lab.only(DE, US));

    // The other node would try it, this one does not.
    lab.done(&["push", "--cluster", "--nodes", "zone=b", &changed]);
    lab.wait_for("pushed", 4, "Enforced");
    assert!(lab.only(DE, US));
    lab.done(&["promote", "pushed"]);
    let object = lab.server.get(POLICIES, "pushed");
    assert!(object["canary"].is_null(), "{object}");
    let generation = object["metadata"]["generation"].as_u64().expect("a number");
    lab.wait_for("pushed", generation, "Enforced");
    assert!(lab.only(US, DE));
}

#[test]
fn a_canary_that_refuses_too_much_goes_back_by_itself() {
    let lab = Lab::new();
    lab.server.put(NODES, NODE, json!({"metadata": {}}));
    lab.server.put(NODES, "node-b", json!({"metadata": {}}));
    let daemon = lab.start();
    lab.done(&["push", "--cluster", &lab.file("pushed", "DE")]);
    lab.wait_for("pushed", 1, "Enforced");
    let limit = ["push", "--cluster", "--canary", "100%", "--limit", "3"];
    lab.done(&[&limit[..], &[&lab.file("pushed", "FR")]].concat());
    lab.wait_for("pushed", 2, "Canary");

    // What both refuse is no loss.
    for _ in 0..5 {
        assert!(lab.refused(&lab.llm, US));
    }
    lab.wait_for("pushed", 2, "Canary");
    for _ in 0..4 {
        assert!(lab.refused(&lab.llm, DE));
    }
    lab.wait_for("pushed", 2, "RolledBack");
    assert!(lab.only(DE, US));
    let why = said(&lab.server, "pushed")["message"].clone();
    let why = why.as_str().expect("a reason");
    assert!(why.contains("3.64.0.1:443"), "{why}");
    let why = lab.fails(&["promote", "pushed"]);
    assert!(why.contains("node-a took pushed back"), "{why}");

    // A daemon that comes after does not try it again.
    daemon.kill().expect("killed");
    let _daemon = lab.start();
    assert!(lab.passes(&lab.llm, DE));
    lab.wait_for("pushed", 2, "RolledBack");
    lab.done(&["promote", "--abort", "pushed"]);
    lab.wait_for("pushed", 3, "Enforced");
}
