//! How long a push takes until every workload is under it: `cargo build --release -p enforcer`, then
//! as root `cargo run --release -p enforcer --example push_latency -- [PUSHES] [POLICIES] [WORKLOADS]`.
//!
//! It starts `enforcer run` from the same target directory over cgroups of its own, with the built-in
//! world database, and pushes two versions of a policy in turn. The time is that of the whole command
//! as a program makes it: connect, send, and the answer that all is in force.

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Lines},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use enforcer::{
    control::{
        PolicyFile, PushRequest, Pushed,
        client::{CallError, send},
        socket_path,
    },
    workloads::Cgroup2,
};
use tempfile::TempDir;

fn main() -> anyhow::Result<()> {
    let mut numbers = env::args().skip(1).map(|word| word.parse::<usize>());
    let mut next = |default| numbers.next().unwrap_or(Ok(default));
    let (pushes, policies, workloads) = (next(200)?, next(100)?, next(100)?);
    let node = Node::start(workloads)?;
    let bundles = [0, 1].map(|version| bundle(policies, &node.root, version));
    let mut times = Vec::with_capacity(pushes);
    for round in 0..pushes {
        let start = Instant::now();
        let pushed = push(&node.instance, &bundles[round % 2])?;
        times.push(start.elapsed());
        ensure!(pushed.revision == Some(round as u64 + 1), "{pushed:?}");
    }
    times.sort_unstable();
    println!(
        "{pushes} pushes of {policies} policies to {workloads} workloads: median {:.1} ms, p99 {:.1} ms, \
         worst {:.1} ms",
        milliseconds(rank(&times, 50)),
        milliseconds(rank(&times, 99)),
        milliseconds(rank(&times, 100)),
    );
    Ok(())
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

/// Each policy selects one workload; one rule of the first differs between versions.
fn bundle(policies: usize, root: &str, version: u8) -> Vec<PolicyFile> {
    let policy = |number: usize| PolicyFile {
        path: format!("p{number}.yaml"),
        text: format!(
            "apiVersion: enforcer.dev/v1alpha1\nkind: EgressPolicy\nmetadata: {{name: p{number}}}\n\
             spec:\n  selector: [{{cgroups: [\"{root}/w{number}\"]}}]\n  default: deny\n  rules:\n    \
             - {{name: eea, action: allow, peers: [{{regions: [eea]}}], ports: [443/tcp]}}\n    \
             - {{name: own, action: allow, peers: [{{cidrs: [10.{}.{}.0/24]}}]}}\n",
            number % 256,
            if number == 0 { version } else { 9 },
        ),
    };
    (0..policies).map(policy).collect()
}

fn rank(times: &[Duration], percent: usize) -> Duration {
    let at = (times.len() * percent).div_ceil(100);
    times[at.clamp(1, times.len()) - 1]
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A daemon over cgroups of its own; all of it goes on drop.
struct Node {
    instance: String,
    root: String,
    cgroups: Cgroup2,
    daemon: Child,
    program: PathBuf,
    /// The daemon reads it with every push.
    _policies: TempDir,
    /// The daemon may still say something.
    _said: Lines<BufReader<ChildStderr>>,
}

impl Node {
    fn start(workloads: usize) -> anyhow::Result<Self> {
        let own = env::current_exe()?;
        let profile = own
            .ancestors()
            .nth(2)
            .context("not in a target directory")?;
        let program = profile.join("enforcer");
        let instance = format!("push-latency-{}", std::process::id());
        let cgroups = Cgroup2::find()?;
        let root = format!("/{instance}");
        cgroups.make(&root)?;
        for number in 0..workloads {
            cgroups.make(&format!("{root}/w{number}"))?;
        }
        let empty = TempDir::new()?;
        let mut daemon = Command::new(&program)
            .args(["--instance", &instance, "run", "--cgroup-root", &root])
            .arg("--policies")
            .arg(empty.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let said = daemon.stderr.take().context("a pipe")?;
        let mut lines = BufReader::new(said).lines();
        let ready = lines.any(|line| line.is_ok_and(|line| line == "enforcer: ready"));
        ensure!(ready, "the daemon did not come up");
        Ok(Self {
            instance,
            root,
            cgroups,
            daemon,
            program,
            _policies: empty,
            _said: lines,
        })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let detach = Command::new(&self.program)
            .args(["--instance", &self.instance, "detach"])
            .stdout(Stdio::null())
            .status();
        let state = Path::new("/var/lib/enforcer").join(&self.instance);
        let left = [
            detach.err(),
            self.daemon.wait().err(),
            self.cgroups
                .remove(&self.root)
                .err()
                .map(std::io::Error::other),
            fs::remove_dir_all(state).err(),
        ];
        for error in left.into_iter().flatten() {
            eprintln!("clean up: {error}");
        }
    }
}
