//! Pods that come and go leave nothing behind.

use std::{
    fs,
    time::{Duration, Instant},
};

use aya::maps::{HashMap, Map, MapData};
use enforcer_common::abi::{CgroupId, Tag, names};
use enforcer_tests::lab::{Cgroup, ContainerRuntime, Daemon, Node};

/// Pods at a time, and how often.
const PODS: usize = 200;
const ROUNDS: usize = 50;
/// What the daemon may grow by from the fifth round to the last: what the allocator keeps.
const MOST_GROWTH: u64 = 4 << 20;

fn policy() -> &'static str {
    "apiVersion: enforcer.dev/v1alpha1\nkind: EgressPolicy\nmetadata: {name: node}\n\
     spec:\n  selector: [{pods: {namespaces: [llm]}}]\n  default: deny\n  rules:\n    \
     - {name: germany, action: allow, peers: [{countries: [DE]}]}\n"
}

fn tags(node: &Node) -> HashMap<MapData, CgroupId, Tag> {
    let mut runs = fs::read_dir(node.instance.pins()).expect("pins");
    let run = runs.next().expect("a run").expect("an entry").path();
    let map = MapData::from_pin(run.join("maps").join(names::TAGS)).expect("a map");
    Map::HashMap(map).try_into().expect("tags")
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::yield_now();
    }
}

/// Resident memory of the daemon, in bytes (proc_pid_status(5)).
fn memory(daemon: &Daemon) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: u64 = kib.and_then(|kib| kib.parse().ok()).expect("a number");
    kib << 10
}

#[test]
fn ten_thousand_pods_leave_no_entry_and_no_memory() {
    let runtime = ContainerRuntime::new().expect("a runtime");
    let mut node = Node::new().expect("a node");
    node.arguments(["--cri-socket", &runtime.socket().to_string_lossy()]);
    node.write_policy(policy()).expect("a policy");
    let daemon = node.start().expect("a daemon");
    let kubepods = node.root.child("kubepods").expect("a cgroup");
    let tags = tags(&node);
    let count = || tags.keys().count();
    let tagged = |cgroup: &Cgroup| tags.get(&cgroup.id().expect("an id"), 0).is_ok();
    wait_until("kubepods is tagged", || tagged(&kubepods));
    let before = count();
    let mut settled = 0;
    for round in 0..ROUNDS {
        let uid = |pod: usize| format!("{:032x}", round * PODS + pod + 1);
        for pod in 0..PODS {
            let namespace = if pod % 2 == 0 { "llm" } else { "web" };
            runtime.add(namespace, &format!("pod-{pod}"), &uid(pod), &[]);
        }
        let pods: Vec<Cgroup> = (0..PODS)
            .map(|pod| {
                kubepods
                    .child(&format!("pod{}", uid(pod)))
                    .expect("a cgroup")
            })
            .collect();
        wait_until("pods are tagged", || pods.iter().all(tagged));
        drop(pods);
        runtime.clear();
        wait_until("tags are gone", || count() == before);
        if round == 4 {
            settled = memory(&daemon);
        }
    }
    let last = memory(&daemon);
    println!(
        "{} pods: memory of the daemon {} KiB after {} of them, {} KiB after all",
        PODS * ROUNDS,
        settled >> 10,
        PODS * 5,
        last >> 10
    );
    assert!(
        last < settled + MOST_GROWTH,
        "{settled} bytes became {last}"
    );
    let status = node.status().expect("a status");
    let workloads = status["workloads"].as_array().expect("workloads");
    let pod =
        |it: &&serde_json::Value| it["cgroup"].as_str().is_some_and(|it| it.contains("/pod0"));
    assert_eq!(workloads.iter().filter(pod).count(), 0);
}
