//! The load client: a process of its own, so that it can move between cgroups and namespaces.
//!
//! It is told what to do in lines of JSON. One process does every run, of the base and of what is
//! compared with it: same memory, same CPU, same code.

mod orders;
mod peer;
mod work;

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{BufRead as _, Write as _, stdin, stdout},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use enforcer_tests::lab;
use nix::sched::{CloneFlags, CpuSet, sched_setaffinity, setns};
use nix::unistd::Pid;

pub(crate) use orders::{Answer, Client, Load, Order, Place, Work};

use self::{peer::Peer, work::Addresses};

/// Answers orders until standard input ends.
///
/// # Errors
/// Standard input or output is gone.
pub(crate) fn serve() -> Result<()> {
    let mut worker = Worker::new()?;
    for line in stdin().lock().lines() {
        let order = serde_json::from_str(&line?).context("no order")?;
        let answer = worker
            .obey(&order)
            .unwrap_or_else(|error| Answer::Failed(format!("{error:#}")));
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

    fn obey(&mut self, order: &Order) -> Result<Answer> {
        let Place {
            cgroup,
            client,
            peer,
        } = &order.place;
        if !self.peers.contains_key(peer) {
            let home = self.home.clone();
            self.enter_cgroup(&home)?;
            self.enter_namespace(peer)?;
            self.peers.insert(peer.clone(), Peer::open()?);
        }
        if !self.addresses.contains_key(&order.destinations) {
            let read = Addresses::read(&order.destinations)?;
            self.addresses.insert(order.destinations.clone(), read);
        }
        self.enter_namespace(client)?;
        self.enter_cgroup(cgroup)?;
        let peer = &self.peers[peer];
        let addresses = self
            .addresses
            .get_mut(&order.destinations)
            .context("addresses were read above")?;
        match order.work {
            Work::Time { load, batches } => {
                work::time(load, batches, addresses, peer).map(Answer::Timed)
            }
            Work::Probe => work::probe(addresses).map(Answer::Permitted),
        }
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
    let priority = libc::sched_param { sched_priority: 1 };
    // SAFETY: the parameter outlives the call.
    let refused = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &priority) } != 0;
    if refused {
        eprintln!("note: no real-time priority here; other programs disturb the runs more");
    }
    Ok(())
}
