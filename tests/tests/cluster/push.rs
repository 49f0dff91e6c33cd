//! Policies that are pushed to a cluster.

use serde_json::json;

use crate::lab::{DE, Lab, NODE, NODES, POLICIES, US, said};

#[test]
fn a_push_says_node_by_node_what_became_of_it() {
    let lab = Lab::new();
    let llm = lab.node.root.child("llm").expect("a cgroup");
    lab.server
        .put(NODES, NODE, json!({"metadata": {"labels": {"zone": "a"}}}));
    let _daemon = lab.start();
    let file = |country: &str| {
        let path = lab
            .node
            .bundle("pushed", "llm", &[country])
            .expect("a file");
        path.to_str().expect("a plain path").to_owned()
    };
    let words = |path: &str, more: &[&str]| {
        let words = [&["push", "--cluster", "--wait", path], more].concat();
        lab.push(&words)
    };
    let pushed = words(&file("DE"), &[]);
    let said = String::from_utf8_lossy(&pushed.stdout).into_owned();
    assert!(
        pushed.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&pushed.stderr)
    );
    assert!(
        said.contains("created    EgressPolicy/pushed, generation 1"),
        "{said}"
    );
    assert!(
        said.contains("node-a") && said.contains("enforces generation 1"),
        "{said}"
    );
    assert!(lab.refused(&llm, US) && lab.passes(&llm, DE));

    // What is broken is not even sent.
    let broken = lab.node.bundle("broken", "llm", &["XX"]).expect("a file");
    let refused = words(broken.to_str().expect("plain"), &[]);
    assert!(!refused.status.success());
    assert!(lab.server.get(POLICIES, "broken").is_null());

    // Somebody else decides over the fields.
    let mut other = lab.server.get(POLICIES, "pushed");
    other["spec"]["default"] = json!("allow");
    other["metadata"] = json!({"name": "pushed"});
    lab.server.apply(&other).expect_err("a conflict");
    lab.server
        .apply(&lab.policy("theirs", "DE"))
        .expect("applied");
    let theirs = lab.node.bundle("theirs", "llm", &["US"]).expect("a file");
    let theirs = theirs.to_str().expect("plain").to_owned();
    let refused = words(&theirs, &[]);
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        why.contains("kubectl") && why.contains("--force-conflicts"),
        "{why}"
    );
    assert!(words(&theirs, &["--force-conflicts"]).status.success());

    // A node that does not answer is named.
    lab.server.put(NODES, "node-b", json!({"metadata": {}}));
    let silent = words(&file("US"), &["--timeout", "1"]);
    let why = String::from_utf8_lossy(&silent.stderr).into_owned();
    assert!(
        !silent.status.success() && why.contains("node-b has not answered"),
        "{why}"
    );
}

#[test]
fn some_nodes_try_a_policy_until_it_is_promoted() {
    let lab = Lab::new();
    let llm = lab.node.root.child("llm").expect("a cgroup");
    lab.server
        .put(NODES, NODE, json!({"metadata": {"labels": {"zone": "a"}}}));
    lab.server.put(
        NODES,
        "node-b",
        json!({"metadata": {"labels": {"zone": "b"}}}),
    );
    let _daemon = lab.start();
    let file = |country: &str| {
        let path = lab
            .node
            .bundle("pushed", "llm", &[country])
            .expect("a file");
        path.to_str().expect("a plain path").to_owned()
    };
    let run = |words: &[&str]| {
        let done = lab.push(words);
        let why = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{words:?}: {why}");
    };
    run(&["push", "--cluster", &file("DE")]);
    lab.wait_for("pushed", 1, "Enforced");

    run(&[
        "push",
        "--cluster",
        "--wait",
        "--nodes",
        "zone=a",
        &file("US"),
    ]);
    lab.wait_for("pushed", 2, "Canary");
    assert!(lab.refused(&llm, DE) && lab.passes(&llm, US));
    run(&["promote", "--abort", "pushed"]);
    lab.wait_for("pushed", 3, "Enforced");
    assert!(lab.refused(&llm, US) && lab.passes(&llm, DE));

    // The other node would try it, this one does not.
    run(&["push", "--cluster", "--nodes", "zone=b", &file("US")]);
    lab.wait_for("pushed", 4, "Enforced");
    assert!(lab.refused(&llm, US) && lab.passes(&llm, DE));
    run(&["promote", "pushed"]);
    let object = lab.server.get(POLICIES, "pushed");
    assert!(object["canary"].is_null(), "{object}");
    let generation = object["metadata"]["generation"].as_u64().expect("a number");
    lab.wait_for("pushed", generation, "Enforced");
    assert!(lab.refused(&llm, DE) && lab.passes(&llm, US));
}

#[test]
fn a_canary_that_refuses_too_much_goes_back_by_itself() {
    let lab = Lab::new();
    let llm = lab.node.root.child("llm").expect("a cgroup");
    lab.server.put(NODES, NODE, json!({"metadata": {}}));
    lab.server.put(NODES, "node-b", json!({"metadata": {}}));
    let daemon = lab.start();
    let file = |country: &str| {
        let path = lab
            .node
            .bundle("pushed", "llm", &[country])
            .expect("a file");
        path.to_str().expect("a plain path").to_owned()
    };
    assert!(
        lab.push(&["push", "--cluster", &file("DE")])
            .status
            .success()
    );
    lab.wait_for("pushed", 1, "Enforced");
    let limit = ["push", "--cluster", "--canary", "100%", "--limit", "3"];
    assert!(
        lab.push(&[&limit[..], &[&file("FR")]].concat())
            .status
            .success()
    );
    lab.wait_for("pushed", 2, "Canary");

    // What both refuse is no loss.
    for _ in 0..5 {
        assert!(lab.refused(&llm, US));
    }
    lab.wait_for("pushed", 2, "Canary");
    for _ in 0..4 {
        assert!(lab.refused(&llm, DE));
    }
    lab.wait_for("pushed", 2, "RolledBack");
    assert!(lab.refused(&llm, US) && lab.passes(&llm, DE));
    let why = said(&lab.server, "pushed")["message"].clone();
    let why = why.as_str().expect("a reason");
    assert!(why.contains("3.64.0.1:443"), "{why}");
    let promoted = lab.push(&["promote", "pushed"]);
    let why = String::from_utf8_lossy(&promoted.stderr).into_owned();
    assert!(
        !promoted.status.success() && why.contains("node-a took pushed back"),
        "{why}"
    );

    // A daemon that comes after does not try it again.
    daemon.kill().expect("killed");
    let _daemon = lab.start();
    assert!(lab.passes(&llm, DE));
    lab.wait_for("pushed", 2, "RolledBack");
    assert!(lab.push(&["promote", "--abort", "pushed"]).status.success());
    lab.wait_for("pushed", 3, "Enforced");
}
