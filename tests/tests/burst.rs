//! Many pods at once, each of which calls out before anything else.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use enforcer_common::abi::{CgroupId, Stance};
use enforcer_tests::lab::{
    Peer, Recorder, World,
    containerd::{
        ALLOWED, ContainerId, Containerd, CriPod, DENIED, Deployed, LABELS, OWN, POLICY, answered,
        both, wait_until,
    },
};

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
    let denied = recorder.arrived_at(DENIED.into()).expect("arrivals");
    assert!(denied.is_empty(), "packets got out: {denied:?}");
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
