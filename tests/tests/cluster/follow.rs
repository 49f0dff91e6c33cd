//! What the API tells of reaches enforcement, and nothing that becomes of the API takes it away.

use enforcer_tests::lab::{ApiServer, Gone, assert_fields};
use serde_json::json;

use crate::lab::{DE, Lab, NODE, PODS, POLICIES, REGIONS, UID, US, policy, said};

#[test]
fn what_is_applied_is_enforced_and_said_to_be() {
    let lab = Lab::new();
    lab.apply("sovereign", "DE");
    let _daemon = lab.start();
    assert!(
        lab.refused(&lab.llm, US),
        "it is in force before the daemon is ready"
    );
    assert!(lab.passes(&lab.llm, DE));
    lab.wait_for("sovereign", 1, "Enforced");

    lab.apply("sovereign", "US");
    lab.wait_for("sovereign", 2, "Enforced");
    assert!(lab.refused(&lab.llm, DE));
    assert!(lab.passes(&lab.llm, US));

    // A region, and a policy that needs it.
    let region = json!({
        "apiVersion": "enforcer.dev/v1alpha1",
        "kind": "Region",
        "metadata": {"name": "partners"},
        "spec": {"members": [{"countries": ["US"]}]},
    });
    lab.server.apply(&region).expect("applied");
    let mut partners = lab.policy("partners", "US");
    partners["spec"]["rules"][0]["peers"] = json!([{"regions": ["partners"]}]);
    lab.server.apply(&partners).expect("applied");
    lab.wait_for("partners", 1, "Enforced");

    // What is needed does not go, and what is broken keeps nothing else out.
    lab.server.delete(REGIONS, "partners");
    let mut broken = lab.policy("broken", "DE");
    broken["spec"]["rules"][0]["peers"] = json!([{"regions": ["nowhere"]}]);
    lab.server.apply(&broken).expect("applied");
    lab.wait_for("broken", 1, "Rejected");
    let why = said(&lab.server, "broken")["message"].clone();
    assert!(
        why.as_str().is_some_and(|it| it.contains("nowhere")),
        "{why}"
    );
    assert!(lab.passes(&lab.llm, US));
    lab.server.delete(POLICIES, "broken");
    lab.server.delete(POLICIES, "partners");
    lab.apply("sovereign", "DE");
    lab.wait_for("sovereign", 3, "Enforced");
    assert!(lab.refused(&lab.llm, US));

    lab.server.delete(POLICIES, "sovereign");
    let gone = lab.server.wait_until(|_| lab.passes(&lab.llm, US));
    gone.expect("no policy selects it");
}

#[test]
fn gone_versions_and_broken_connections_lose_nothing() {
    let lab = Lab::new();
    lab.apply("sovereign", "DE");
    let _daemon = lab.start();
    lab.wait_for("sovereign", 1, "Enforced");
    let mut generation = 1;
    let mut change = |country: &str, disturb: &dyn Fn(&ApiServer)| {
        let watched = lab
            .server
            .wait_until(|server| server.watches(POLICIES) == 1);
        watched.expect("a watch");
        disturb(&lab.server);
        lab.apply("sovereign", country);
        generation += 1;
        lab.wait_for("sovereign", generation, "Enforced");
        let (passes, fails) = if country == "DE" { (DE, US) } else { (US, DE) };
        assert!(lab.only(passes, fails));
    };
    let lists = || lab.server.lists(POLICIES);

    let before = lists();
    change("US", &|server| server.disconnect());
    change("DE", &|server| {
        server.bookmark();
        server.disconnect();
    });
    assert_eq!(lists(), before, "a broken connection needs no new list");
    change("US", &|server| server.forget(Gone::InTheWatch));
    change("DE", &|server| server.forget(Gone::AtItsStart));
    assert!(lists() > before, "a version that is gone needs one");
    assert_eq!(lab.count("source-failing"), 0, "none of this is an outage");
}

#[test]
fn a_label_moves_a_pod_to_its_policy() {
    let lab = Lab::new();
    let selector = json!({"pods": {"namespaces": ["llm"], "matchLabels": {"app": "vllm"}}});
    lab.server
        .apply(&policy("pods", &selector, "DE"))
        .expect("applied");
    lab.server
        .put_pod(NODE, "llm/vllm-0", UID, &json!({"app": "web"}));
    lab.server
        .put_pod("node-b", "llm/vllm-1", "not-here", &json!({"app": "vllm"}));
    let _daemon = lab.start();
    let kubepods = lab.node.root.child("kubepods").expect("a cgroup");
    let pod = kubepods.child(&format!("pod{UID}")).expect("a cgroup");
    let passes = lab.server.wait_until(|_| lab.passes(&pod, DE));
    passes.expect("the pod is told of");
    assert!(lab.passes(&pod, US));
    let mut flow = lab.hold(&pod, "udp-hold 52.0.0.1:53");
    assert!(flow.send().expect("an outcome").reply);

    lab.server
        .put_pod(NODE, "llm/vllm-0", UID, &json!({"app": "vllm"}));
    let refused = lab.server.wait_until(|_| lab.refused(&pod, US));
    refused.expect("the policy selects it now");
    assert!(lab.passes(&pod, DE));
    let outcome = flow.send().expect("an outcome");
    assert_eq!(outcome.errno_name.as_deref(), Some("EPERM"), "{outcome:?}");

    lab.server
        .put_pod(NODE, "llm/vllm-0", UID, &json!({"app": "web"}));
    let released = lab.server.wait_until(|_| lab.passes(&pod, US));
    released.expect("the policy does not select it any more");
    assert!(flow.send().expect("an outcome").reply);
    assert_eq!(lab.server.lists(PODS), 1);
}

#[test]
fn without_the_server_the_last_policies_stay() {
    let mut lab = Lab::new();
    lab.apply("sovereign", "DE");
    let daemon = lab.start();
    lab.wait_for("sovereign", 1, "Enforced");
    assert!(lab.refused(&lab.llm, US));

    lab.server.stop();
    lab.wait_for_event("source-failing", 1);
    let status = lab.node.status().expect("a status");
    assert_fields(&status, &[("/cluster/reachable", json!(false))]);
    assert!(status["cluster"]["down_since"].is_string(), "{status}");
    assert!(lab.refused(&lab.llm, US));
    let told = lab.count("source-failing");
    assert_eq!(told, 1, "an outage is told once");

    daemon.kill().expect("killed");
    let daemon = lab.start();
    assert!(lab.only(DE, US));
    // Not even the pins are needed for that.
    drop(daemon);
    lab.node.instance.run(&["detach"]).expect("detached");
    assert!(lab.passes(&lab.llm, US));
    let _daemon = lab.start();
    assert!(lab.only(DE, US));
    // One for each daemon.
    lab.wait_for_event("source-failing", 3);

    lab.apply("sovereign", "US");
    lab.server.start().expect("the server again");
    lab.wait_for("sovereign", 2, "Enforced");
    assert!(lab.only(US, DE));
    lab.wait_for_event("source-recovered", 1);
    let status = lab.node.status().expect("a status");
    assert_fields(
        &status,
        &[
            ("/cluster/reachable", json!(true)),
            ("/cluster/outages", json!(1)),
        ],
    );
    assert_eq!(lab.count("source-failing"), 3);
}
