//! The image and the DaemonSet at work among real pods: containerd, runc, and a network namespace each.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use enforcer_common::abi::CgroupId;
use enforcer_tests::lab::{
    self, Peer, Recorder, WAYS, World,
    containerd::{
        ALLOWED, ContainerId, Containerd, CriPod, DENIED, Deployed, LABELS, POLICY, answered, both,
        busybox, wait_until,
    },
};

/// How long the runtime is away.
const OUTAGE: Duration = Duration::from_secs(60);

/// The machine is small, and one of these fills it.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn arrived(recorder: &Recorder<'_>, at: Ipv4Addr) -> usize {
    recorder.arrived_at(IpAddr::V4(at)).expect("arrivals").len()
}

#[test]
fn the_pod_of_the_manifest_enforces_with_no_capability_to_spare() {
    let _alone = alone();
    let world = World::new().expect("a world");
    let containerd = Containerd::new(&world).expect("containerd");
    let mut deployed = Deployed::new(&containerd, POLICY).expect("enforcer");
    let status = deployed.status().expect("a status");
    assert_eq!(status["enforcing"], true, "{status}");
    let (code, said) = deployed.run_with(&["doctor"], None).expect("a container");
    assert_eq!(code, 0, "{said}");
    let mut needed = deployed.manifest().capabilities().expect("capabilities");
    // Without these no program loads.
    for capability in ["BPF", "NET_ADMIN", "PERFMON"] {
        let outcome = deployed.run_with(&["doctor"], Some(capability));
        let (code, said) = outcome.expect("a container");
        assert_eq!(code, 1, "without {capability}: {said}");
        needed.retain(|it| it != capability);
    }
    // Without this, interfaces of pods are not found.
    assert_eq!(needed, ["SYS_PTRACE"]);
    let pod = containerd.pod("app", &LABELS).expect("a pod");
    let _app = containerd
        .start_in(&pod, busybox("sleep 1000"))
        .expect("a container");
    wait_until("its interface is covered", || {
        covered(&deployed, &pod) == Some(true)
    });
    deployed.kill().expect("a daemon to kill");
    deployed.withhold("SYS_PTRACE").expect("a capability");
    deployed.start().expect("a daemon");
    assert_ne!(covered(&deployed, &pod), Some(true));
}

/// Whether the interface of a pod is covered, as far as that is known.
fn covered(deployed: &Deployed<'_, '_>, pod: &CriPod) -> Option<bool> {
    let status = deployed.status().expect("a status");
    let mut workloads = status["workloads"].as_array().into_iter().flatten();
    let found = workloads.find(|it| it["cgroup"] == pod.cgroup.below_mount())?;
    found["device"]["covered"].as_bool()
}

#[test]
fn pods_that_start_while_the_daemon_is_away_are_held_until_it_is_back() {
    let _alone = alone();
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let containerd = Containerd::new(&world).expect("containerd");
    let mut deployed = Deployed::new(&containerd, POLICY).expect("enforcer");
    let recorder = Recorder::new(&world).expect("a recorder");
    let before = containerd.pod("before", &LABELS).expect("a pod");
    let first = containerd
        .start_in(&before, both("first-act"))
        .expect("a container");
    answered(&containerd, "first-act", &first);

    deployed.kill().expect("a daemon to kill");
    let during = containerd.pod("during", &LABELS).expect("a pod");
    let held = busybox(&format!("echo held | nc -w 2 {ALLOWED} 443"));
    let held = containerd.start_in(&during, held).expect("a container");
    assert_ne!(
        containerd.wait(&held).expect("a status"),
        0,
        "nobody vouched for it"
    );
    assert!(!carries(&recorder, "held"), "it was open");
    containerd.forget(&held).expect("a removal");
    let waiting = containerd
        .start_in(&during, both("waited"))
        .expect("a container");
    // What was known before goes on as before.
    containerd.forget(&first).expect("a removal");
    let again = containerd
        .start_in(&before, both("again"))
        .expect("a container");
    answered(&containerd, "again", &again);
    assert!(
        !carries(&recorder, "waited"),
        "it did not wait for the daemon"
    );

    deployed.start().expect("a daemon");
    answered(&containerd, "waited", &waiting);
    assert!(carries(&recorder, "waited"));
    assert_eq!(arrived(&recorder, DENIED), 0, "packets got out");
    let status = deployed.status().expect("a status");
    assert_eq!(status["adopted"], true, "{status}");
}

fn carries(recorder: &Recorder<'_>, marker: &str) -> bool {
    let arrivals = recorder.arrivals().expect("arrivals");
    arrivals.iter().any(|it| it.carries(marker))
}

#[test]
fn no_tag_and_no_event_is_lost_while_the_runtime_is_away() {
    let _alone = alone();
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let containerd = Containerd::new(&world).expect("containerd");
    let deployed = Deployed::new(&containerd, POLICY).expect("enforcer");
    let recorder = Recorder::new(&world).expect("a recorder");
    let pod = containerd.pod("steady", &LABELS).expect("a pod");
    // One port for each phase: a refusal of its own, and so an event of its own. It says nothing, for
    // what it says goes through the runtime.
    let phases = busybox(&format!(
        "until [ -e /phases/begin ]; do sleep 0.1; done; \
         for port in 8001 8002 8003; do \
           nc -w 1 {DENIED} $port 2>/dev/null; echo > /phases/tried-$port; \
           until [ -e /phases/$port ]; do sleep 0.1; done; \
         done"
    ));
    let directory = containerd.shared("phases").expect("a directory");
    let phases = phases.with_mount(&directory, "/phases");
    let container = containerd.start_in(&pod, phases).expect("a container");
    let tried = |port: &str| {
        wait_until(port, || directory.join(format!("tried-{port}")).exists());
    };
    let go_on = |port: &str| std::fs::write(directory.join(port), "").expect("a file");
    let tags = || -> BTreeMap<CgroupId, u16> {
        let tags = deployed.tags().expect("tags");
        let entries = tags.iter().map(|entry| entry.expect("an entry"));
        entries.map(|(id, tag)| (id, tag.class.0)).collect()
    };

    wait_until("its policy holds", || {
        covered(&deployed, &pod) == Some(true)
    });
    go_on("begin");
    tried("8001");
    let known = tags();
    containerd.kill().expect("containerd to kill");
    let killed = Instant::now();
    go_on("8001");
    tried("8002");
    while killed.elapsed() < OUTAGE {
        assert_eq!(tags(), known, "without the runtime");
        thread::sleep(Duration::from_millis(100));
    }
    containerd.start().expect("containerd");
    go_on("8002");
    tried("8003");
    assert_eq!(tags(), known, "with a new runtime");
    go_on("8003");
    assert_eq!(containerd.wait(&container).expect("a status"), 0);

    let refused = |port: u16| {
        move |event: &&serde_json::Value| {
            event["event"]["kind"] == "alert" && event["destination"]["port"] == port
        }
    };
    let all = deployed
        .events
        .wait_until(|events| events.iter().any(|it| refused(8003)(&it)));
    let all = all.expect("events");
    for port in [8001, 8002, 8003] {
        let told: Vec<_> = all.iter().filter(refused(port)).collect();
        assert_eq!(told.len(), 1, "port {port}: {told:#?}");
        assert_eq!(told[0]["enforcer"]["workload"], "laboratory/steady");
    }
    assert_eq!(arrived(&recorder, DENIED), 0, "packets got out");
    // It is asked again: a new pod is known.
    let later = containerd.pod("later", &LABELS).expect("a pod");
    let later = containerd
        .start_in(&later, both("later"))
        .expect("a container");
    answered(&containerd, "later", &later);
    let count = |events: &[serde_json::Value], action: &str| {
        let of_runtime = |it: &&serde_json::Value| {
            it["event"]["action"] == action && it["enforcer"]["source"] == "container runtime"
        };
        events.iter().filter(of_runtime).count()
    };
    let recovered = |events: &[serde_json::Value]| count(events, "source-recovered") > 0;
    let all = deployed.events.wait_until(recovered).expect("events");
    assert_eq!(count(&all, "source-failing"), 1, "an outage is told once");
    assert_eq!(count(&all, "source-recovered"), 1);
}

#[test]
fn a_pod_that_rules_its_own_network_gets_nothing_else_out() {
    let _alone = alone();
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let containerd = Containerd::new(&world).expect("containerd");
    let recorder = Recorder::new(&world).expect("a recorder");
    let pod = containerd.pod("ruler", &LABELS).expect("a pod");
    // Programs and devices of the node, in namespaces of the pod.
    let ruler = busybox("sleep 1000")
        .with_mount(Path::new("/"), NODE)
        .with_capabilities(&["NET_ADMIN", "NET_RAW"]);
    let ruler = containerd.start_in(&pod, ruler).expect("a container");
    let out = |script: &str, to: &str| gets_out(&containerd, &ruler, &recorder, script, to);
    // Frames are for the gateway, whose address is known once it has been spoken to.
    out(r#"probe "udp $1:9""#, &ALLOWED.to_string());
    // The pod has no IPv6, and a router takes no frame with a tag or a label.
    let ways = || {
        let of_pods = |[allowed, _]: [&str; 2], reachable| reachable && !allowed.contains(':');
        WAYS.into_iter()
            .filter(move |(_, _, addresses, reachable)| of_pods(*addresses, *reachable))
    };
    assert_eq!(ways().count(), 7);
    for (way, script, [allowed, refused], _) in ways() {
        assert!(
            out(script, allowed),
            "{way} to {allowed} does not work at all"
        );
        assert!(
            out(script, refused),
            "{way} to {refused} does not work at all"
        );
    }
    let deployed = Deployed::new(&containerd, POLICY).expect("enforcer");
    wait_until("its interface is covered", || {
        covered(&deployed, &pod) == Some(true)
    });
    for (way, script, [allowed, refused], _) in ways() {
        assert!(!out(script, refused), "{way} to {refused}");
        assert!(out(script, allowed), "{way} to {allowed}");
    }
}

/// Where a container has the root of the node.
const NODE: &str = "/node";

/// Runs a way in a container that has the node's root, and says whether its packet got out.
fn gets_out(
    containerd: &Containerd<'_>,
    container: &ContainerId,
    recorder: &Recorder<'_>,
    script: &str,
    to: &str,
) -> bool {
    let marker = format!("to-{to}");
    let probe = lab::binary("probe").expect("the probe");
    let (script, probe) = (lab::defined(script), format!("PROBE={}", probe.display()));
    let path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    // By their full paths, or busybox would be all of them.
    let command = [
        "/bin/busybox",
        "chroot",
        NODE,
        "/usr/bin/env",
        path,
        &probe,
        "/bin/sh",
        "-c",
        &script,
        "sh",
        to,
        &marker,
    ];
    let executed = containerd.exec(container, &command.map(str::to_owned));
    let executed = executed.expect("a shell");
    let arrived = carries(recorder, &marker);
    recorder.clear().expect("cleared");
    println!(
        "{script}: {to}: {arrived}: {}{}",
        String::from_utf8_lossy(&executed.stdout),
        String::from_utf8_lossy(&executed.stderr)
    );
    arrived
}
