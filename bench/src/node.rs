//! A daemon over cgroups of its own, with the built-in world database.

use std::{
    fs,
    io::{BufRead as _, BufReader, Lines},
    net::{Ipv4Addr, SocketAddr},
    process::{Child, ChildStderr, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use enforcer::{
    control::{
        PolicyFile, PushRequest, Pushed,
        client::{CallError, send},
        socket_path,
    },
    kernel::{Build, Enforcement, PinDir},
};
use enforcer_tests::lab::{Cgroup, Instance, RecordSocket, Refused, World};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

const POLICIES: usize = 100;
const WORKLOADS: usize = 100;

/// What one daemon does.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct NodeFigures {
    /// Policies that are pushed, each for a workload of its own.
    pub(crate) policies: usize,
    /// From the call of a push to the answer that all is in force.
    pub(crate) push: Latencies,
    /// From the making of a cgroup to its tag.
    pub(crate) tag: Latencies,
    /// From the return of a connect that is refused to its record at a datagram socket; each to a
    /// destination of its own.
    pub(crate) record: Latencies,
    /// Resident memory of the idle daemon, in KiB.
    pub(crate) resident_kib: u64,
    /// The most that it ever was.
    pub(crate) peak_kib: u64,
    /// Time on a CPU while nothing happens, in percent of one CPU.
    pub(crate) idle_percent: f64,
}

/// Milliseconds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Latencies {
    /// How many were measured.
    pub(crate) times: usize,
    pub(crate) median: f64,
    pub(crate) p99: f64,
    pub(crate) worst: f64,
}

impl Latencies {
    fn of(mut times: Vec<Duration>) -> Result<Self> {
        times.sort_unstable();
        let rank = |percent: usize| {
            let place = (times.len() * percent).div_ceil(100).max(1);
            let time = times.get(place - 1).context("nothing was measured")?;
            anyhow::Ok(time.as_secs_f64() * 1e3)
        };
        Ok(Self {
            times: times.len(),
            median: rank(50)?,
            p99: rank(99)?,
            worst: rank(100)?,
        })
    }
}

/// How long to look.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    /// Pushes, and cgroups that are made.
    pub(crate) times: usize,
    /// While the daemon is idle.
    pub(crate) idle: Duration,
}

/// Starts a daemon, and measures.
///
/// # Errors
/// `enforcer` is not built, or refuses.
pub(crate) fn measure(patience: Patience) -> Result<NodeFigures> {
    let node = Node::start()?;
    let push = node.pushes(patience.times)?;
    let tag = node.tags(patience.times)?;
    let record = node.records(patience.times)?;
    let before = node.time_on_cpu()?;
    std::thread::sleep(patience.idle);
    let spent = node.time_on_cpu()? - before;
    Ok(NodeFigures {
        policies: POLICIES,
        push,
        tag,
        record,
        resident_kib: node.memory("VmRSS:")?,
        peak_kib: node.memory("VmHWM:")?,
        idle_percent: spent.as_secs_f64() / patience.idle.as_secs_f64() * 100.0,
    })
}

/// Fields in the order in which they must go.
struct Node {
    daemon: Daemon,
    workloads: Vec<Cgroup>,
    root: Cgroup,
    instance: Instance,
    records: RecordSocket,
    /// The daemon reads its policies with every push.
    _directory: TempDir,
}

struct Daemon {
    child: Child,
    /// It may still say something.
    said: Lines<BufReader<ChildStderr>>,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        for error in [self.child.kill().err(), self.child.wait().err()]
            .into_iter()
            .flatten()
        {
            eprintln!("end the daemon: {error}");
        }
    }
}

impl Node {
    fn start() -> Result<Self> {
        let (instance, root) = (Instance::new()?, Cgroup::new("node")?);
        let workloads = (0..WORKLOADS).map(|number| root.child(&format!("w{number}")));
        let workloads = workloads.collect::<Result<_>>()?;
        let directory = TempDir::new()?;
        let policies = directory.path().join("policies");
        fs::create_dir(&policies)?;
        let records = RecordSocket::bind(directory.path())?;
        let mut child = instance
            .verb("run")?
            .arg("--cgroup-root")
            .arg(root.path())
            .arg("--policies")
            .arg(&policies)
            .args(["--events", "file:/dev/null", "--events", &records.sink()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("start the daemon")?;
        let said = child.stderr.take().context("no pipe from the daemon")?;
        let mut daemon = Daemon {
            child,
            said: BufReader::new(said).lines(),
        };
        let ready = daemon
            .said
            .any(|line| line.is_ok_and(|line| line == "enforcer: ready"));
        ensure!(ready, "the daemon did not come up");
        Ok(Self {
            daemon,
            root,
            workloads,
            instance,
            records,
            _directory: directory,
        })
    }

    /// Two versions in turn, so that each push changes something.
    fn pushes(&self, times: usize) -> Result<Latencies> {
        let bundles = [0, 1].map(|version| self.bundle(version));
        let push = |round: usize| {
            let start = Instant::now();
            let pushed = push(self.instance.name(), &bundles[round % 2])?;
            ensure!(pushed.revision == Some(round as u64 + 1), "{pushed:?}");
            Ok(start.elapsed())
        };
        Latencies::of((0..times).map(push).collect::<Result<_>>()?)
    }

    /// Cgroups that one of the policies selects.
    fn tags(&self, times: usize) -> Result<Latencies> {
        const MOST: Duration = Duration::from_secs(10);
        let pins = PinDir::of_run(self.instance.name(), Build::Plain);
        let enforcement = Enforcement::adopt(pins)?.context("the daemon has pinned nothing")?;
        let one = |number: usize| {
            let start = Instant::now();
            let cgroup = self.root.child(&format!("new-{number}"))?;
            let id = cgroup.id()?;
            while enforcement.tag_of(id)?.is_none() {
                ensure!(start.elapsed() < MOST, "a cgroup has no tag after {MOST:?}");
                std::thread::yield_now();
            }
            Ok(start.elapsed())
        };
        Latencies::of((0..times).map(one).collect::<Result<_>>()?)
    }

    /// Addresses of documentation (RFC 5737), which are in no country; never sent to, for they are
    /// refused, and the namespace leads nowhere.
    fn records(&self, times: usize) -> Result<Latencies> {
        let world = World::new()?;
        let workload = self.workloads.first().context("no workload")?;
        let mut refused = Refused::start(&world, workload)?;
        let one = |number: usize| {
            let [_, _, high, low] = (number as u32).to_be_bytes();
            let port = 1000 + u16::from(high);
            let destination = SocketAddr::from((Ipv4Addr::new(203, 0, 113, low), port));
            refused.time_to_record(destination, &self.records)
        };
        Latencies::of((0..times).map(one).collect::<Result<_>>()?)
    }

    /// One policy for each workload, the first one also for cgroups that are made later; one rule of
    /// it differs between versions.
    fn bundle(&self, version: u8) -> Vec<PolicyFile> {
        let root = self.root.below_mount();
        let policy = |number: usize| {
            let more = if number == 0 {
                format!(", \"{root}/new-*\"")
            } else {
                String::new()
            };
            PolicyFile {
                path: format!("p{number}.yaml"),
                text: format!(
                    "apiVersion: enforcer.dev/v1alpha1\nkind: EgressPolicy\n\
                     metadata: {{name: p{number}}}\n\
                     spec:\n  selector: [{{cgroups: [\"{root}/w{number}\"{more}]}}]\n  default: deny\n  rules:\n    \
                     - {{name: eea, action: allow, peers: [{{regions: [eea]}}], ports: [443/tcp]}}\n    \
                     - {{name: own, action: allow, peers: [{{cidrs: [10.{}.{}.0/24]}}]}}\n",
                    number % 256,
                    if number == 0 { version } else { 9 },
                ),
            }
        };
        (0..POLICIES).map(policy).collect()
    }

    /// Of all threads so far.
    fn time_on_cpu(&self) -> Result<Duration> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.daemon.child.id()))?;
        tasks
            .map(|task| {
                let text = fs::read_to_string(task?.path().join("schedstat"))?;
                let on_cpu = text.split(' ').next().context("an empty schedstat")?;
                Ok(Duration::from_nanos(on_cpu.parse()?))
            })
            .sum()
    }

    fn memory(&self, field: &str) -> Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.daemon.child.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix(field));
        let kib = line.and_then(|rest| rest.split_whitespace().next());
        Ok(kib.with_context(|| format!("no {field}"))?.parse()?)
    }
}

fn push(instance: &str, files: &[PolicyFile]) -> Result<Pushed, CallError> {
    let request = PushRequest {
        files: files.to_vec(),
        prune: true,
        dry_run: false,
        color: false,
    };
    send(&socket_path(instance), "/v1/policies", &request)
}
