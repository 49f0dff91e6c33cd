//! A world, a cluster, and a node of it.

use std::process::Output;

use enforcer_tests::{
    lab::{ApiServer, Cgroup, Daemon, Held, Node, Peer, Probe, World},
    probe::Outcome,
};
use serde_json::{Value, json};

pub(crate) const NODE: &str = "node-a";
pub(crate) const POLICIES: &str = "/apis/enforcer.dev/v1alpha1/egresspolicies";
pub(crate) const NAMESPACED: &str = "/apis/enforcer.dev/v1alpha1/namespacedegresspolicies";
pub(crate) const REGIONS: &str = "/apis/enforcer.dev/v1alpha1/regions";
pub(crate) const PODS: &str = "/api/v1/pods";
pub(crate) const NODES: &str = "/api/v1/nodes";
pub(crate) const UID: &str = "6a2b8f8e-1c3d-4e5f-8a9b-0c1d2e3f4a5b";

/// Of a pod of another namespace.
pub(crate) const OTHER_UID: &str = "0d9b7f61-52a4-4c57-9d3e-7b6a1c2f8e90";

pub(crate) const DE: &str = "tcp4 3.64.0.1:443";
pub(crate) const US: &str = "tcp4 52.0.0.1:443";
/// In no country.
pub(crate) const NOWHERE: &str = "tcp4 198.18.7.1:443";

/// A world, a cluster, and a node of it.
pub(crate) struct Lab {
    world: World,
    _peer: Peer,
    pub(crate) server: ApiServer,
    pub(crate) node: Node,
    /// The workload that the policies select.
    pub(crate) llm: Cgroup,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let world = World::new().expect("a world");
        let peer = Peer::new(&world).expect("a peer");
        let server = ApiServer::new().expect("a server");
        let mut node = Node::new().expect("a node");
        node.environment("KUBECONFIG", server.kubeconfig().expect("a file"));
        node.environment("NODE_NAME", NODE);
        node.arguments(["--cluster", "--cri-socket", "/nonexistent"]);
        let llm = node.root.child("llm").expect("a cgroup");
        Self {
            world,
            _peer: peer,
            server,
            node,
            llm,
        }
    }

    pub(crate) fn start(&self) -> Daemon {
        self.node.start().expect("a daemon")
    }

    pub(crate) fn refused(&self, workload: &Cgroup, attempt: &str) -> bool {
        let outcome = self.attempt(workload, attempt);
        outcome.errno_name.as_deref() == Some("EPERM")
    }

    pub(crate) fn passes(&self, workload: &Cgroup, attempt: &str) -> bool {
        self.attempt(workload, attempt).reply
    }

    pub(crate) fn attempt(&self, workload: &Cgroup, attempt: &str) -> Outcome {
        let probe = Probe::new(&self.world).in_cgroup(workload);
        probe.attempt(attempt).expect("an outcome")
    }

    /// A flow that stays.
    pub(crate) fn hold(&self, workload: &Cgroup, attempt: &str) -> Held {
        let probe = Probe::new(&self.world).in_cgroup(workload);
        let mut flow = probe.start(attempt).expect("a probe");
        assert!(flow.outcome().expect("an outcome").ok);
        flow
    }

    /// A policy that lets what is below `/llm` of the root go to one country.
    pub(crate) fn policy(&self, name: &str, country: &str) -> Value {
        let pattern = format!("{}/llm/**", self.node.root.below_mount());
        policy(name, &json!({"cgroups": [pattern]}), country)
    }

    /// Applies [`policy`](Self::policy).
    pub(crate) fn apply(&self, name: &str, country: &str) {
        let policy = self.policy(name, country);
        self.server.apply(&policy).expect("applied");
    }

    /// Whether the workload gets to the first and not to the second.
    pub(crate) fn only(&self, passes: &str, refused: &str) -> bool {
        self.refused(&self.llm, refused) && self.passes(&self.llm, passes)
    }

    /// Another node, or this one, with a label for its zone.
    pub(crate) fn put_node(&self, name: &str, zone: &str) {
        let node = json!({"metadata": {"labels": {"zone": zone}}});
        self.server.put(NODES, name, node);
    }

    /// A file with the same policy: its path.
    pub(crate) fn file(&self, name: &str, country: &str) -> String {
        let path = self.node.bundle(name, "llm", &[country]).expect("a file");
        path.to_str().expect("a plain path").to_owned()
    }

    /// Waits until the node says that it does this with a generation of a policy.
    pub(crate) fn wait_for(&self, name: &str, generation: u64, state: &str) {
        let told = self.server.wait_until(|server| {
            let said = said(server, name);
            said["observedGeneration"] == generation && said["state"] == state
        });
        let said = || said(&self.server, name);
        told.unwrap_or_else(|error| panic!("{state} {generation}: {error}: {}", said()));
    }

    /// How many events there are of this kind about the cluster.
    pub(crate) fn count(&self, action: &str) -> usize {
        of_cluster(&self.node.events.read().expect("events"), action)
    }

    pub(crate) fn wait_for_event(&self, action: &str, times: usize) {
        let told = self
            .node
            .events
            .wait_until(|events| of_cluster(events, action) >= times);
        told.expect("an event");
    }

    /// `enforcer policy`, with these words.
    fn verb(&self, words: &[&str]) -> Output {
        let mut command = self.node.instance.verb("policy").expect("enforcer");
        command.env("KUBECONFIG", self.server.kubeconfig().expect("a file"));
        command.args(words).output().expect("it runs")
    }

    /// The same, and what it prints.
    pub(crate) fn done(&self, words: &[&str]) -> String {
        let done = self.verb(words);
        let why = complaint(&done);
        assert!(done.status.success(), "{words:?}: {why}");
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    /// The same, which must fail, and what it complains of.
    pub(crate) fn fails(&self, words: &[&str]) -> String {
        let done = self.verb(words);
        assert!(!done.status.success(), "{words:?}");
        complaint(&done)
    }
}

fn complaint(done: &Output) -> String {
    String::from_utf8_lossy(&done.stderr).into_owned()
}

/// How many of these events are about the cluster.
fn of_cluster(events: &[Value], action: &str) -> usize {
    let is_one = |event: &&Value| {
        event["event"]["action"] == action
            && event["enforcer"]["source"] == "the API of the cluster"
    };
    events.iter().filter(is_one).count()
}

pub(crate) fn policy(name: &str, selector: &Value, country: &str) -> Value {
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

/// What the node says of a policy, `NAME` or `NAMESPACE/NAME`.
pub(crate) fn said(server: &ApiServer, name: &str) -> Value {
    let collection = if name.contains('/') {
        NAMESPACED
    } else {
        POLICIES
    };
    let object = server.get(collection, name);
    let mut nodes = object["status"]["nodes"].as_array().into_iter().flatten();
    nodes
        .find(|it| it["node"] == NODE)
        .cloned()
        .unwrap_or_default()
}
