//! Policies and pods by the API of a cluster: they reach enforcement, and nothing that becomes of the
//! API takes them away.

use std::process::Output;

use enforcer_tests::{
    lab::{ApiServer, Cgroup, Daemon, Gone, Node, Peer, Probe, World, assert_fields},
    probe::Outcome,
};
use serde_json::{Value, json};

const NODE: &str = "node-a";
const POLICIES: &str = "/apis/enforcer.dev/v1alpha1/egresspolicies";
const REGIONS: &str = "/apis/enforcer.dev/v1alpha1/regions";
const PODS: &str = "/api/v1/pods";
const NODES: &str = "/api/v1/nodes";
const UID: &str = "6a2b8f8e-1c3d-4e5f-8a9b-0c1d2e3f4a5b";

const DE: &str = "tcp4 3.64.0.1:443";
const US: &str = "tcp4 52.0.0.1:443";

/// A world, a cluster, and a node of it.
struct Lab {
    world: World,
    _peer: Peer,
    server: ApiServer,
    node: Node,
}

impl Lab {
    fn new() -> Self {
        let world = World::new().expect("a world");
        let peer = Peer::new(&world).expect("a peer");
        let server = ApiServer::new().expect("a server");
        let mut node = Node::new().expect("a node");
        node.environment("KUBECONFIG", server.kubeconfig().expect("a file"));
        node.environment("NODE_NAME", NODE);
        node.arguments(["--cluster", "--cri-socket", "/nonexistent"]);
        Self {
            world,
            _peer: peer,
            server,
            node,
        }
    }

    fn start(&self) -> Daemon {
        self.node.start().expect("a daemon")
    }

    fn refused(&self, workload: &Cgroup, attempt: &str) -> bool {
        let outcome = self.attempt(workload, attempt);
        outcome.errno_name.as_deref() == Some("EPERM")
    }

    fn passes(&self, workload: &Cgroup, attempt: &str) -> bool {
        self.attempt(workload, attempt).reply
    }

    fn attempt(&self, workload: &Cgroup, attempt: &str) -> Outcome {
        let probe = Probe::new(&self.world).in_cgroup(workload);
        probe.attempt(attempt).expect("an outcome")
    }

    /// A policy that lets what is below `/llm` of the root go to one country.
    fn policy(&self, name: &str, country: &str) -> Value {
        let pattern = format!("{}/llm/**", self.node.root.below_mount());
        policy(name, &json!({"cgroups": [pattern]}), country)
    }

    /// Waits until the node says that it does this with a generation of a policy.
    fn wait_for(&self, name: &str, generation: u64, state: &str) {
        let told = self.server.wait_until(|server| {
            let said = said(server, name);
            said["observedGeneration"] == generation && said["state"] == state
        });
        let said = || said(&self.server, name);
        told.unwrap_or_else(|error| panic!("{state} {generation}: {error}: {}", said()));
    }

    /// How many events there are of this kind about the cluster.
    fn count(&self, action: &str) -> usize {
        of_cluster(&self.node.events.read().expect("events"), action)
    }

    fn wait_for_event(&self, action: &str, times: usize) {
        let told = self
            .node
            .events
            .wait_until(|events| of_cluster(events, action) >= times);
        told.expect("an event");
    }

    fn push(&self, words: &[&str]) -> Output {
        let mut command = self.node.instance.verb("policy").expect("enforcer");
        command.env("KUBECONFIG", self.server.kubeconfig().expect("a file"));
        command.args(words).output().expect("it runs")
    }
}

/// How many of these events are about the cluster.
fn of_cluster(events: &[Value], action: &str) -> usize {
    let is_one = |event: &&Value| {
        event["event"]["action"] == action
            && event["enforcer"]["source"] == "the API of the cluster"
    };
    events.iter().filter(is_one).count()
}

fn policy(name: &str, selector: &Value, country: &str) -> Value {
    json!({
        "apiVersion": "enforcer.dev/v1alpha1",
        "kind": "EgressPolicy",
        "metadata": {"name": name},
        "spec": {
            "selector": [selector],
            "default": "deny",
            "rules": [{"name": "one", "action": "allow", "peers": [{"countries": [country]}]}],
        },
    })
}

/// What the node says of a policy.
fn said(server: &ApiServer, name: &str) -> Value {
    let object = server.get(POLICIES, name);
    let mut nodes = object["status"]["nodes"].as_array().into_iter().flatten();
    nodes
        .find(|it| it["node"] == NODE)
        .cloned()
        .unwrap_or_default()
}

#[test]
fn what_is_applied_is_enforced_and_said_to_be() {
    let lab = Lab::new();
    let llm = lab.node.root.child("llm").expect("a cgroup");
    lab.server
        .apply(&lab.policy("sovereign", "DE"))
        .expect("applied");
    let _daemon = lab.start();
    assert!(
        lab.refused(&llm, US),
        "it is in force before the daemon is ready"
    );
    assert!(lab.passes(&llm, DE));
    lab.wait_for("sovereign", 1, "Enforced");

    lab.server
        .apply(&lab.policy("sovereign", "US"))
        .expect("applied");
    lab.wait_for("sovereign", 2, "Enforced");
    assert!(lab.refused(&llm, DE));
    assert!(lab.passes(&llm, US));

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
    assert!(lab.passes(&llm, US));
    lab.server.delete(POLICIES, "broken");
    lab.server.delete(POLICIES, "partners");
    lab.server
        .apply(&lab.policy("sovereign", "DE"))
        .expect("applied");
    lab.wait_for("sovereign", 3, "Enforced");
    assert!(lab.refused(&llm, US));

    lab.server.delete(POLICIES, "sovereign");
    let gone = lab.server.wait_until(|_| lab.passes(&llm, US));
    gone.expect("no policy selects it");
}

#[test]
fn gone_versions_and_broken_connections_lose_nothing() {
    let lab = Lab::new();
    let llm = lab.node.root.child("llm").expect("a cgroup");
    lab.server
        .apply(&lab.policy("sovereign", "DE"))
        .expect("applied");
    let _daemon = lab.start();
    lab.wait_for("sovereign", 1, "Enforced");
    let mut generation = 1;
    let mut change = |country: &str, disturb: &dyn Fn(&ApiServer)| {
        let watched = lab
            .server
            .wait_until(|server| server.watches(POLICIES) == 1);
        watched.expect("a watch");
        disturb(&lab.server);
        lab.server
            .apply(&lab.policy("sovereign", country))
            .expect("applied");
        generation += 1;
        lab.wait_for("sovereign", generation, "Enforced");
        let (passes, fails) = if country == "DE" { (DE, US) } else { (US, DE) };
        assert!(lab.refused(&llm, fails) && lab.passes(&llm, passes));
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
        .put_pod(NODE, "vllm-0", UID, &json!({"app": "web"}));
    lab.server
        .put_pod("node-b", "vllm-1", "not-here", &json!({"app": "vllm"}));
    let _daemon = lab.start();
    let kubepods = lab.node.root.child("kubepods").expect("a cgroup");
    let pod = kubepods.child(&format!("pod{UID}")).expect("a cgroup");
    let passes = lab.server.wait_until(|_| lab.passes(&pod, DE));
    passes.expect("the pod is told of");
    assert!(lab.passes(&pod, US));

    lab.server
        .put_pod(NODE, "vllm-0", UID, &json!({"app": "vllm"}));
    let refused = lab.server.wait_until(|_| lab.refused(&pod, US));
    refused.expect("the policy selects it now");
    assert!(lab.passes(&pod, DE));

    lab.server
        .put_pod(NODE, "vllm-0", UID, &json!({"app": "web"}));
    let released = lab.server.wait_until(|_| lab.passes(&pod, US));
    released.expect("the policy does not select it any more");
    assert_eq!(lab.server.lists(PODS), 1);
}

#[test]
fn without_the_server_the_last_policies_stay() {
    let mut lab = Lab::new();
    let llm = lab.node.root.child("llm").expect("a cgroup");
    lab.server
        .apply(&lab.policy("sovereign", "DE"))
        .expect("applied");
    let daemon = lab.start();
    lab.wait_for("sovereign", 1, "Enforced");
    assert!(lab.refused(&llm, US));

    lab.server.stop();
    lab.wait_for_event("source-failing", 1);
    let status = lab.node.status().expect("a status");
    assert_fields(&status, &[("/cluster/reachable", json!(false))]);
    assert!(status["cluster"]["down_since"].is_string(), "{status}");
    assert!(lab.refused(&llm, US));
    let told = lab.count("source-failing");
    assert_eq!(told, 1, "an outage is told once");

    daemon.kill().expect("killed");
    let daemon = lab.start();
    assert!(lab.refused(&llm, US) && lab.passes(&llm, DE));
    // Not even the pins are needed for that.
    drop(daemon);
    lab.node.instance.run(&["detach"]).expect("detached");
    assert!(lab.passes(&llm, US));
    let _daemon = lab.start();
    assert!(lab.refused(&llm, US) && lab.passes(&llm, DE));
    // One for each daemon.
    lab.wait_for_event("source-failing", 3);

    lab.server
        .apply(&lab.policy("sovereign", "US"))
        .expect("applied");
    lab.server.start().expect("the server again");
    lab.wait_for("sovereign", 2, "Enforced");
    assert!(lab.refused(&llm, DE) && lab.passes(&llm, US));
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
