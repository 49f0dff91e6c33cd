//! Many pods at once, each of which calls out before anything else.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use enforcer_common::abi::{CgroupId, FlowCount, FlowKey, Stance, names};
use enforcer_tests::lab::{
    Peer, Recorder, World,
    containerd::{
        ALLOWED, ContainerId, Containerd, CriPod, DENIED, Deployed, LABELS, OWN, POLICY, answered,
        both, wait_until,
    },
};

const BURST: usize = 200;
/// A machine that takes longer has stopped.
const PATIENCE: Duration = Duration::from_secs(1200);
/// A pod that is not tagged this long after the last one started is not tagged at all.
const TAGGED: Duration = Duration::from_secs(30);
/// How often the runtime is asked for its pods, to know how long it takes by itself.
const LISTING: Duration = Duration::from_millis(500);
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
    let (finished, ended) = mpsc::channel();
    let (pods, times, listings) = thread::scope(|scope| {
        let (deployed, containerd) = (&deployed, &containerd);
        let watcher = scope.spawn(move || watch(deployed, &watched));
        let lister = scope.spawn(move || listings(containerd, &ended));
        let workers: Vec<_> = (0..AT_A_TIME)
            .map(|_| {
                let announced = announced.clone();
                let numbers = &numbers;
                scope.spawn(move || {
                    let mut pods = Vec::new();
                    let next = || numbers.lock().expect("numbers").next();
                    while let Some(number) = next() {
                        assert!(started.elapsed() < PATIENCE, "{number} pods started");
                        pods.push(start(containerd, number, &announced));
                    }
                    pods
                })
            })
            .collect();
        drop(announced);
        let pods = workers.into_iter().flat_map(|it| it.join().expect("pods"));
        let pods: Vec<Started> = pods.collect();
        let times = watcher.join().expect("times");
        drop(finished);
        (pods, times, lister.join().expect("listings"))
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
         made to tagged: {}\nknown to the runtime to tagged: {}\n\
         the runtime lists its pods, meanwhile: {}",
        pods.len(),
        allowed.len(),
        quantiles(times.made),
        quantiles(times.known),
        quantiles(listings)
    );
    assert_eq!(pods.len(), BURST);

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
    wait_until("every tag of a removed pod is gone", || {
        let left = tags.keys().map(|id| id.expect("an id"));
        left.filter(|id| !before.contains(id)).count() == 0
    });
    let devices = deployed.table::<u32, CgroupId>(names::DEVICES);
    let devices = devices.expect("devices");
    wait_until("no interface is left", || devices.keys().count() == 0);
    let flows = deployed.table::<FlowKey, FlowCount>(names::FLOWS);
    let flows = flows.expect("flows");
    // Counts of flows go when nothing was added to them for a minute.
    let emptied = Instant::now() + Duration::from_secs(120);
    while flows.keys().count() > 0 {
        assert!(Instant::now() < emptied, "counts of flows are left");
        thread::sleep(LISTING);
    }
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

/// How long the runtime took for each list of its pods, until nobody waits any more.
fn listings(containerd: &Containerd<'_>, ended: &mpsc::Receiver<()>) -> Vec<Duration> {
    let mut times = Vec::new();
    while ended.recv_timeout(LISTING) == Err(mpsc::RecvTimeoutError::Timeout) {
        let asked = Instant::now();
        let _pods = containerd.list().expect("a list");
        times.push(asked.elapsed());
    }
    times
}

/// Looks for the tag of each announced cgroup every millisecond.
fn watch(deployed: &Deployed<'_, '_>, announced: &mpsc::Receiver<Moment>) -> Times {
    let tags = deployed.tags().expect("tags");
    let mut made: BTreeMap<CgroupId, Instant> = BTreeMap::new();
    let mut known = BTreeMap::new();
    let mut tagged = BTreeMap::new();
    let mut open = true;
    let mut deadline = Instant::now() + PATIENCE;
    while open || !made.is_empty() {
        assert!(Instant::now() < deadline, "not tagged: {made:?}");
        match announced.recv_timeout(Duration::from_millis(1)) {
            Ok(Moment::Made(id, at)) => drop(made.insert(id, at)),
            Ok(Moment::Known(id, at)) => drop(known.insert(id, at)),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                if std::mem::take(&mut open) {
                    deadline = Instant::now() + TAGGED;
                }
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
    format!(
        "p10 {:.1?}, median {:.1?}, p90 {:.1?}, p99 {:.1?}, longest {:.1?}",
        at(10),
        at(50),
        at(90),
        at(99),
        at(100)
    )
}
