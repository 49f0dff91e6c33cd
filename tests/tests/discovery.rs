//! Pods and systemd units are found and told apart by their cgroups.

use std::{
    fs,
    time::{Duration, Instant},
};

use aya::maps::{HashMap, Map, MapData};
use enforcer_common::abi::{CgroupId, Stance, Tag, names};
use enforcer_tests::lab::{Cgroup, ContainerRuntime, Node, Peer, Probe, World, assert_fields};
use serde_json::{Value, json};

const UID: &str = "6a2b8f8e-1c3d-4e5f-8a9b-0c1d2e3f4a5b";
const OTHER_UID: &str = "6a2b8f8e-1c3d-4e5f-8a9b-0c1d2e3f4a5c";
const CONTAINER: &str = "4f9a2c1de5b8704f9a2c1de5b8704f9a2c1de5b8704f9a2c1de5b8704f9a2c1d";
/// Both of a policy that allows Germany.
const WAYS: [&str; 2] = ["udp 52.0.0.1:53", "udp 3.64.0.1:53"];

fn policy(selector: &str) -> String {
    format!(
        "apiVersion: enforcer.dev/v1alpha1\nkind: EgressPolicy\nmetadata: {{name: node}}\n\
         spec:\n  selector: [{selector}]\n  default: deny\n  rules:\n    \
         - {{name: germany, action: allow, peers: [{{countries: [DE]}}]}}\n"
    )
}

/// What becomes of both attempts: `EPERM`, an answer, or silence.
fn outcomes(world: &World, cgroup: &Cgroup) -> Vec<String> {
    let probe = Probe::new(world).timeout(Duration::from_millis(300));
    let outcomes = probe.in_cgroup(cgroup).run(&WAYS).expect("outcomes");
    let said = outcomes
        .into_iter()
        .map(|it| match (it.errno_name, it.reply) {
            (Some(errno), _) => errno,
            (None, true) => "answer".to_owned(),
            (None, false) => "silence".to_owned(),
        });
    said.collect()
}

/// Waits until a cgroup has a tag of its own, and says how long that took.
fn tagged(node: &Node, cgroup: &Cgroup) -> Duration {
    let started = Instant::now();
    let tags = tags(node);
    let id = cgroup.id().expect("an id");
    while tags.get(&id, 0).is_err() {
        assert!(started.elapsed() < Duration::from_secs(10), "no tag");
        std::thread::yield_now();
    }
    started.elapsed()
}

/// Waits until policies apply to a cgroup.
fn judged(node: &Node, cgroup: &Cgroup) {
    let started = Instant::now();
    let tags = tags(node);
    let id = cgroup.id().expect("an id");
    while tags.get(&id, 0).ok().and_then(|tag| tag.stance()) != Some(Stance::Judge) {
        assert!(started.elapsed() < Duration::from_secs(10), "not judged");
        std::thread::yield_now();
    }
}

fn tags(node: &Node) -> HashMap<MapData, CgroupId, Tag> {
    let mut runs = fs::read_dir(node.instance.pins()).expect("pins");
    let run = runs.next().expect("a run").expect("an entry").path();
    let map = MapData::from_pin(run.join("maps").join(names::TAGS)).expect("a map");
    Map::HashMap(map).try_into().expect("tags")
}

fn workload<'a>(status: &'a Value, cgroup: &Cgroup) -> &'a Value {
    let mut workloads = status["workloads"].as_array().into_iter().flatten();
    workloads
        .find(|workload| workload["cgroup"] == cgroup.below_mount())
        .unwrap_or(&Value::Null)
}

#[test]
fn pods_are_held_until_the_runtime_tells_of_them_and_judged_then() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let runtime = ContainerRuntime::new().expect("a runtime");
    let mut node = Node::new().expect("a node");
    node.arguments(["--cri-socket", &runtime.socket().to_string_lossy()]);
    let selector = "{pods: {namespaces: [llm], matchLabels: {app: vllm}}}";
    node.write_policy(&policy(selector)).expect("a policy");
    let daemon = node.start().expect("a daemon");

    let kubepods = node.root.child("kubepods").expect("a cgroup");
    let pod = kubepods.child(&format!("pod{UID}")).expect("a cgroup");
    let container = pod.child(CONTAINER).expect("a cgroup");
    assert_eq!(outcomes(&world, &container), ["silence", "silence"]);
    runtime.add("llm", "vllm-0", UID, &[("app", "vllm")]);
    tagged(&node, &container);
    assert_eq!(outcomes(&world, &container), ["EPERM", "answer"]);
    let told = node
        .events
        .wait_until(|events| events.iter().any(|event| event["event"]["kind"] == "alert"));
    let told = told.expect("an event");
    let alert = told.iter().find(|it| it["event"]["kind"] == "alert");
    assert_fields(
        alert.expect("an alert"),
        &[
            ("/enforcer/workload", json!("llm/vllm-0")),
            ("/enforcer/workload_kind", json!("pod")),
        ],
    );

    runtime.add("llm", "web-0", OTHER_UID, &[("app", "web")]);
    let other = kubepods
        .child(&format!("pod{OTHER_UID}"))
        .expect("a cgroup");
    tagged(&node, &other);
    assert_eq!(outcomes(&world, &other), ["answer", "answer"]);

    // Without the runtime, neither running nor new daemons forget anything.
    drop(runtime);
    let before = node.status().expect("a status");
    drop(daemon);
    let _daemon = node.start().expect("a daemon");
    assert_eq!(outcomes(&world, &container), ["EPERM", "answer"]);
    let after = node.status().expect("a status");
    for cgroup in [&pod, &container] {
        assert_eq!(
            workload(&after, cgroup)["class"],
            workload(&before, cgroup)["class"]
        );
    }
}

#[test]
fn an_outage_of_the_runtime_is_told_once_and_takes_nothing() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let mut runtime = ContainerRuntime::new().expect("a runtime");
    let mut node = Node::new().expect("a node");
    node.arguments(["--cri-socket", &runtime.socket().to_string_lossy()]);
    node.write_policy(&policy("{pods: {namespaces: [llm]}}"))
        .expect("a policy");
    let _daemon = node.start().expect("a daemon");
    let kubepods = node.root.child("kubepods").expect("a cgroup");
    let pod = kubepods.child(&format!("pod{UID}")).expect("a cgroup");
    runtime.add("llm", "vllm-0", UID, &[]);
    tagged(&node, &pod);

    runtime.interrupt().expect("down");
    let later = kubepods
        .child(&format!("pod{OTHER_UID}"))
        .expect("a cgroup");
    node.wait_for("source-failing", 1).expect("an event");
    assert_eq!(outcomes(&world, &pod), ["EPERM", "answer"]);
    assert_eq!(outcomes(&world, &later), ["silence", "silence"]);

    runtime.add("llm", "vllm-1", OTHER_UID, &[]);
    runtime.resume().expect("up");
    tagged(&node, &later);
    assert_eq!(outcomes(&world, &later), ["EPERM", "answer"]);
    let told = node.wait_for("source-recovered", 1).expect("an event");
    let failing = told
        .iter()
        .filter(|it| it["event"]["action"] == "source-failing");
    assert_eq!(failing.count(), 1);
}

#[test]
fn a_pod_that_nobody_tells_of_is_refused_after_a_while() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let runtime = ContainerRuntime::new().expect("a runtime");
    let mut node = Node::new().expect("a node");
    let socket = runtime.socket();
    node.arguments(["--cri-socket", &socket.to_string_lossy()]);
    node.arguments(["--resolve-within", "1s"]);
    node.write_policy(&policy("{pods: {namespaces: [llm]}}"))
        .expect("a policy");
    let _daemon = node.start().expect("a daemon");
    let kubepods = node.root.child("kubepods").expect("a cgroup");
    let pod = kubepods.child(&format!("pod{UID}")).expect("a cgroup");
    let told = node.wait_for("pod-unresolved", 1).expect("an event");
    let told = told
        .iter()
        .find(|it| it["event"]["action"] == "pod-unresolved");
    assert_fields(
        told.expect("an event"),
        &[
            ("/enforcer/pod_uid", json!(UID)),
            ("/enforcer/cgroup", json!(pod.below_mount())),
            ("/enforcer/stance", json!("deny")),
        ],
    );
    tagged(&node, &pod);
    assert_eq!(outcomes(&world, &pod), ["EPERM", "EPERM"]);

    runtime.add("llm", "vllm-0", UID, &[]);
    judged(&node, &pod);
    assert_eq!(outcomes(&world, &pod), ["EPERM", "answer"]);
}

#[test]
fn who_can_send_past_the_hooks_is_told_of() {
    let node = Node::new().expect("a node");
    node.allow("llm", &["DE"]).expect("a policy");
    let _daemon = node.start().expect("a daemon");
    let llm = node.root.child("llm").expect("a cgroup");
    let bound = llm.child("bound").expect("a cgroup");
    let free = llm.child("free").expect("a cgroup");
    tagged(&node, &bound);
    tagged(&node, &free);
    let sleeper = |cgroup: &Cgroup, bounding: &str| {
        let mut command = std::process::Command::new("setpriv");
        command.args(["--bounding-set", bounding, "sleep", "1000"]);
        cgroup.confine(&mut command).expect("confined");
        Sleeper(command.spawn().expect("setpriv"))
    };
    let _bound = sleeper(&bound, "-net_raw");
    let _free = sleeper(&free, "+all");
    let told = node.wait_for("coverage-lost", 1).expect("an event");
    let mut told = told
        .iter()
        .filter(|it| it["event"]["action"] == "coverage-lost");
    let first = told.next().expect("an event");
    assert_fields(first, &[("/enforcer/workload", json!(free.below_mount()))]);
    assert!(told.next().is_none());
    let status = node.status().expect("a status");
    assert_eq!(workload(&status, &bound)["device"]["covered"], true);
    assert_eq!(workload(&status, &free)["device"]["covered"], false);
}

/// A process, ended with the test.
struct Sleeper(std::process::Child);

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.0.kill().and_then(|()| self.0.wait()).expect("killed");
    }
}

#[test]
fn units_are_found_by_name() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let node = Node::new().expect("a node");
    let selector = "{systemdUnits: [\"vllm@*.service\"]}";
    node.write_policy(&policy(selector)).expect("a policy");
    let _daemon = node.start().expect("a daemon");
    let slice = node.root.child("system-vllm.slice").expect("a cgroup");
    let unit = slice.child("vllm@70b.service").expect("a cgroup");
    let other = slice.child("web.service").expect("a cgroup");
    tagged(&node, &unit);
    tagged(&node, &other);
    assert_eq!(outcomes(&world, &unit), ["EPERM", "answer"]);
    assert_eq!(outcomes(&world, &other), ["answer", "answer"]);
}

#[test]
fn new_cgroups_are_tagged_at_once() {
    /// One takes a few milliseconds; more would be noise of the machine.
    const CGROUPS: usize = 200;
    let node = Node::new().expect("a node");
    node.allow("llm", &["DE"]).expect("a policy");
    let _daemon = node.start().expect("a daemon");
    let llm = node.root.child("llm").expect("a cgroup");
    let mut children = Vec::new();
    let mut times: Vec<Duration> = (0..CGROUPS)
        .map(|number| {
            children.push(llm.child(&format!("c{number}")).expect("a cgroup"));
            tagged(&node, &children[number])
        })
        .collect();
    times.sort_unstable();
    let (median, p99) = (times[CGROUPS / 2], times[CGROUPS * 99 / 100]);
    println!("cgroup made to tagged, {CGROUPS} times: median {median:?}, p99 {p99:?}");
    assert!(p99 < Duration::from_secs(1), "p99 {p99:?}");
}
