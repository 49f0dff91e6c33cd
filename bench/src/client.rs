//! The load client: a process of its own, so that it can move between cgroups and namespaces.
//!
//! It is told what to do in lines of JSON. One process does every run, of the base and of what is
//! compared with it: same memory, same CPU, same code.

mod bulk;
mod flood;
mod names;
mod orders;
mod peer;
mod work;

use std::{
    collections::{HashMap, hash_map::Entry},
    fs::{self, File},
    io::{self, BufRead as _, Write as _, stdin, stdout},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use enforcer_tests::lab;
use nix::{
    sched::{CloneFlags, CpuSet, sched_setaffinity, setns},
    unistd::Pid,
};

pub(crate) use names::{NAME, RESOLVER};
pub(crate) use orders::{Answer, Client, Load, Order, Place, Task, Work};

use self::{peer::Peer, work::Addresses};

/// Answers orders until standard input ends.
///
/// # Errors
/// Standard input or output is gone.
pub(crate) fn serve() -> Result<()> {
    let mut worker = Worker::new()?;
    for line in stdin().lock().lines() {
        let answer = match serde_json::from_str(&line?).context("no order")? {
            Order::Do(task) => worker.work(&task),
            Order::Rest => worker.rest(),
        };
        let answer = answer.unwrap_or_else(|error| Answer::Failed(format!("{error:#}")));
        let mut line = serde_json::to_vec(&answer)?;
        line.push(b'\n');
        stdout().lock().write_all(&line)?;
    }
    Ok(())
}

struct Worker {
    /// Where it was started: what it opens for the peer belongs to no cgroup under test.
    home: PathBuf,
    cgroup: PathBuf,
    /// Empty when it may be any.
    namespace: PathBuf,
    peers: HashMap<PathBuf, Peer>,
    addresses: HashMap<PathBuf, Addresses>,
}

impl Worker {
    fn new() -> Result<Self> {
        stay_on_first_cpu()?;
        let home = own_cgroup()?;
        Ok(Self {
            cgroup: home.clone(),
            home,
            namespace: PathBuf::new(),
            peers: HashMap::new(),
            addresses: HashMap::new(),
        })
    }

    fn work(&mut self, task: &Task) -> Result<Answer> {
        let Place {
            cgroup,
            client,
            peer,
        } = &task.place;
        if !self.peers.contains_key(peer) {
            self.go_home()?;
            self.enter_namespace(peer)?;
            self.peers.insert(peer.clone(), Peer::open()?);
        }
        self.enter_namespace(client)?;
        self.enter_cgroup(cgroup)?;
        let peer = &self.peers[peer];
        let addresses = match self.addresses.entry(task.destinations.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(Addresses::read(&task.destinations)?),
        };
        match &task.work {
            &Work::Time { load, batches } => {
                work::time(load, batches, addresses, peer).map(Answer::Timed)
            }
            Work::Probe => work::probe(addresses).map(Answer::Permitted),
            Work::ProbeNamed => work::probe_named(addresses, peer).map(Answer::Permitted),
            Work::Flood {
                sends,
                outside,
                end,
            } => {
                // As any other program: what swaps needs this CPU, too, to see that it moves on.
                set_priority(libc::SCHED_OTHER)?;
                let flooded = flood::run(*sends, end, addresses, &mut Addresses::read(outside)?);
                set_priority(libc::SCHED_FIFO)?;
                flooded.map(Answer::Flooded)
            }
        }
    }

    /// Leaves everything: namespaces may go now, and others may get their names.
    fn rest(&mut self) -> Result<Answer> {
        self.go_home()?;
        self.peers.clear();
        self.namespace = PathBuf::new();
        Ok(Answer::Rested)
    }

    fn go_home(&mut self) -> Result<()> {
        let home = self.home.clone();
        self.enter_cgroup(&home)
    }

    fn enter_cgroup(&mut self, cgroup: &Path) -> Result<()> {
        if self.cgroup != cgroup {
            fs::write(cgroup.join("cgroup.procs"), "0")
                .with_context(|| format!("enter {}", cgroup.display()))?;
            self.cgroup = cgroup.into();
        }
        Ok(())
    }

    fn enter_namespace(&mut self, path: &Path) -> Result<()> {
        if self.namespace != path {
            let namespace = File::open(path).with_context(|| path.display().to_string())?;
            setns(namespace, CloneFlags::CLONE_NEWNET).context("enter a network namespace")?;
            self.namespace = path.into();
        }
        Ok(())
    }
}

fn own_cgroup() -> Result<PathBuf> {
    let text = fs::read_to_string("/proc/self/cgroup")?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::/"));
    Ok(lab::mount()?.join(path.context("no cgroup2 in /proc/self/cgroup")?))
}

/// One CPU, and no other program on it meanwhile.
fn stay_on_first_cpu() -> Result<()> {
    let mut first = CpuSet::new();
    first.set(0)?;
    sched_setaffinity(Pid::from_raw(0), &first).context("stay on the first CPU")?;
    if let Err(error) = set_priority(libc::SCHED_FIFO) {
        eprintln!("note: {error}; other programs disturb the runs more");
    }
    Ok(())
}

fn set_priority(policy: libc::c_int) -> io::Result<()> {
    let sched_priority = i32::from(policy == libc::SCHED_FIFO);
    let parameter = libc::sched_param { sched_priority };
    // SAFETY: the parameter outlives the call.
    match unsafe { libc::sched_setscheduler(0, policy, &raw const parameter) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
