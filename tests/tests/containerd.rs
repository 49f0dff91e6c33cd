//! The image and the DaemonSet at work among real pods: containerd, runc, and a network namespace each.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
    sync::{Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use enforcer_common::abi::{CgroupId, Stance};
use enforcer_tests::lab::{
    Peer, Recorder, World,
    containerd::{
        BUSYBOX, CONTAINER, ContainerConfig, ContainerId, ContainerMetadata, Containerd, CriPod,
        Deployed, Image, Namespaces, POD,
    },
};

const ALLOWED: Ipv4Addr = Ipv4Addr::new(3, 64, 0, 1);
const DENIED: Ipv4Addr = Ipv4Addr::new(52, 0, 0, 1);
const POLICY: &str = "\
apiVersion: enforcer.dev/v1alpha1
kind: EgressPolicy
metadata: {name: laboratory}
spec:
  selector: [{pods: {namespaces: [laboratory], matchLabels: {app: confined}}}]
  default: deny
  rules:
    - {name: germany, action: allow, peers: [{countries: [DE]}]}
";
const LABELS: [(&str, &str); 1] = [("app", "confined")];
const OWN: Namespaces = Namespaces {
    network: POD,
    pid: CONTAINER,
};

/// The machine is small, and one of these fills it.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A container that runs a script of busybox.
fn busybox(script: &str) -> ContainerConfig {
    ContainerConfig {
        metadata: Some(ContainerMetadata {
            name: "app".into(),
            attempt: 0,
        }),
        image: Some(Image {
            image: BUSYBOX.into(),
        }),
        command: vec!["/bin/sh".into(), "-c".into(), script.into()],
        log_path: "app.log".into(),
        ..ContainerConfig::default()
    }
}

/// As its first act, tries both at once; its status says whether the allowed one answered. A connection
/// that is held for long gives up, and is tried again.
fn both(marker: &str) -> ContainerConfig {
    let mut container = busybox(&format!(
        "echo {marker} | nc -w 3 {DENIED} 443 & \
         for try in 1 2 3 4 5 6 7 8; do \
           echo {marker} | nc -w 20 {ALLOWED} 443 | grep {marker} && break; \
         done; \
         answered=$?; wait; exit $answered"
    ));
    container.log_path = format!("{marker}.log");
    container
}

/// Waits until what [`both`] made has ended, with an answer from the allowed address.
fn answered(containerd: &Containerd<'_>, marker: &str, container: &ContainerId) {
    let status = containerd.wait(container).expect("a status");
    let said = containerd.log(&format!("{marker}.log")).unwrap_or_default();
    assert_eq!(status, 0, "{marker} had no answer: {said}");
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

/// More pods than this prove nothing more.
const BURST: usize = 200;
/// What does not start in this time is left out, and the number is told.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many pods are started at a time.
const AT_A_TIME: usize = 4;

/// One pod of a burst.
struct Started {
    marker: String,
    pod: CriPod,
    container: ContainerId,
}

#[test]
fn no_pod_of_a_burst_gets_a_packet_out_before_its_policy_holds() {
    let _alone = alone();
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let containerd = Containerd::new(&world).expect("containerd");
    let deployed = Deployed::new(&containerd, POLICY).expect("enforcer");
    let recorder = Recorder::new(&world).expect("a recorder");

    let (announced, watched) = mpsc::channel();
    let tags = deployed.tags().expect("tags");
    let before: BTreeSet<CgroupId> = tags.keys().map(|id| id.expect("an id")).collect();
    let numbers = Mutex::new(0..BURST);
    let started = Instant::now();
    let (pods, times) = thread::scope(|scope| {
        let deployed = &deployed;
        let watcher = scope.spawn(move || watch(deployed, &watched));
        let workers: Vec<_> = (0..AT_A_TIME)
            .map(|_| {
                let announced = announced.clone();
                let (numbers, containerd) = (&numbers, &containerd);
                scope.spawn(move || {
                    let mut pods = Vec::new();
                    while started.elapsed() < PATIENCE
                        && let Some(number) = numbers.lock().expect("numbers").next()
                    {
                        pods.push(start(containerd, number, &announced));
                    }
                    pods
                })
            })
            .collect();
        drop(announced);
        let pods = workers.into_iter().flat_map(|it| it.join().expect("pods"));
        let pods: Vec<Started> = pods.collect();
        (pods, watcher.join().expect("times"))
    });
    for Started {
        marker, container, ..
    } in &pods
    {
        answered(&containerd, marker, container);
    }
    let took = started.elapsed();
    assert_eq!(arrived(&recorder, DENIED), 0, "packets got out");
    let allowed = recorder.arrived_at(ALLOWED.into()).expect("arrivals");
    for Started { marker, .. } in &pods {
        let there = allowed.iter().any(|it| it.carries(marker));
        assert!(there, "{marker} did not arrive");
    }
    println!(
        "{} pods in {took:.1?}; 0 packets at the denied address, {} at the allowed one\n\
         made to tagged: {}; known to the runtime to tagged: {}",
        pods.len(),
        allowed.len(),
        quantiles(times.made),
        quantiles(times.known)
    );
    assert!(pods.len() >= 20, "only {} pods started", pods.len());

    let pods = Mutex::new(pods);
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                let next = || pods.lock().expect("pods").pop();
                while let Some(Started { pod, .. }) = next() {
                    containerd.remove(pod).expect("a removal");
                }
            });
        }
    });
    wait_until("every entry of a removed pod is gone", || {
        let left = tags.keys().map(|id| id.expect("an id"));
        left.filter(|id| !before.contains(id)).count() == 0
    });
}

fn start(containerd: &Containerd<'_>, number: usize, announced: &mpsc::Sender<Moment>) -> Started {
    let marker = format!("marker-{number}-end");
    let pod = containerd
        .announce(&format!("pod-{number}"), &LABELS)
        .expect("a cgroup");
    let id = pod.cgroup.id().expect("an id");
    let send = |moment| announced.send(moment).expect("a watcher");
    send(Moment::Made(id, Instant::now()));
    let pod = containerd.run(pod, OWN).expect("a pod");
    send(Moment::Known(id, Instant::now()));
    let container = containerd
        .start_in(&pod, both(&marker))
        .expect("a container");
    Started {
        marker,
        pod,
        container,
    }
}

/// What happens to a pod before its tag.
enum Moment {
    /// Its cgroup is there.
    Made(CgroupId, Instant),
    /// Its runtime tells of it.
    Known(CgroupId, Instant),
}

/// How long tags took, since the cgroup was made, and since the runtime knew of the pod.
#[derive(Default)]
struct Times {
    made: Vec<Duration>,
    known: Vec<Duration>,
}

/// Looks for the tag of each announced cgroup every millisecond.
fn watch(deployed: &Deployed<'_, '_>, announced: &mpsc::Receiver<Moment>) -> Times {
    let tags = deployed.tags().expect("tags");
    let mut made: BTreeMap<CgroupId, Instant> = BTreeMap::new();
    let mut known = BTreeMap::new();
    let mut tagged = BTreeMap::new();
    let mut open = true;
    while open || !made.is_empty() {
        match announced.recv_timeout(Duration::from_millis(1)) {
            Ok(Moment::Made(id, at)) => drop(made.insert(id, at)),
            Ok(Moment::Known(id, at)) => drop(known.insert(id, at)),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                open = false;
                thread::sleep(Duration::from_millis(1));
            }
        }
        made.retain(|id, since| {
            let tag = tags.get(id, 0);
            let judged = tag.is_ok_and(|tag| tag.stance() == Some(Stance::Judge));
            if judged {
                tagged.insert(*id, (*since, Instant::now()));
            }
            !judged
        });
    }
    let mut times = Times::default();
    for (id, (made, tagged)) in tagged {
        times.made.push(tagged - made);
        // The runtime lists a pod a little before it answers who made it.
        times
            .known
            .push(tagged.saturating_duration_since(known[&id]));
    }
    times
}

fn quantiles(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    format!("median {:.1?}, p99 {:.1?}", at(50), at(99))
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "not in 30 s: {what}"
        );
        thread::sleep(Duration::from_millis(50));
    }
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
    go_on("8001");
    tried("8002");
    assert_eq!(tags(), known, "without the runtime");
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
}
