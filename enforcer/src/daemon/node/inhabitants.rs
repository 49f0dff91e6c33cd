//! Who is in which network namespace.

use std::{
    collections::{BTreeMap, HashMap},
    io,
};

use enforcer_common::abi::{CgroupId, ClassId, Stance, Tag};

use crate::workloads::{
    Assignment, Cgroup2, CgroupPath, Extent,
    interfaces::{NetnsId, may_open_packet_sockets, namespace_of, own_namespace},
};

/// A process of a judged cgroup.
#[derive(Clone, Copy)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) netns: NetnsId,
    pub(super) may_open_packet_sockets: bool,
}

/// A network namespace with processes of workloads.
pub(super) struct Namespace {
    /// One of them.
    pub(super) pid: u32,
    /// Tagged cgroups with processes in it.
    pub(super) members: Vec<Member>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) path: CgroupPath,
    pub(super) cgroup: CgroupId,
    pub(super) class: ClassId,
    /// Of its processes on the host's interfaces.
    pub(super) may_open_packet_sockets: bool,
}

/// Processes of judged cgroups.
pub(super) struct Inhabitants {
    cgroups: Cgroup2,
    own: NetnsId,
    settled: HashMap<CgroupId, Vec<Process>>,
}

impl Inhabitants {
    pub(super) fn new(cgroups: Cgroup2) -> io::Result<Self> {
        Ok(Self {
            cgroups,
            own: own_namespace()?,
            settled: HashMap::new(),
        })
    }

    /// Whether it is the namespace of the host's interfaces.
    pub(super) fn is_own(&self, netns: NetnsId) -> bool {
        netns == self.own
    }

    /// Those of cgroups outside the extent are taken to be the settled ones.
    pub(super) fn processes(
        &self,
        judged: &[Member],
        extent: &Extent,
    ) -> HashMap<CgroupId, Vec<Process>> {
        let look = |pid: u32| {
            let netns = namespace_of(pid)?;
            Some(Process {
                pid,
                netns,
                may_open_packet_sockets: self.is_own(netns) && may_open_packet_sockets(pid),
            })
        };
        let of_member = |member: &Member| {
            let settled = self.settled.get(&member.cgroup);
            let processes = match settled.filter(|_| !extent.has(&member.path)) {
                Some(processes) => processes.clone(),
                None => {
                    let processes = self.cgroups.processes(&member.path);
                    processes.into_iter().filter_map(look).collect()
                }
            };
            (member.cgroup, processes)
        };
        judged.iter().map(of_member).collect()
    }

    /// Keeps those of cgroups of which all was judged, or that had none.
    pub(super) fn settle(
        &mut self,
        processes: HashMap<CgroupId, Vec<Process>>,
        is_settled: impl Fn(&CgroupId) -> bool,
    ) {
        let settled = processes.into_iter().filter(|(it, _)| is_settled(it));
        self.settled = settled.collect();
    }

    /// All are looked at again.
    pub(super) fn forget(&mut self) {
        self.settled.clear();
    }
}

/// Network namespaces of the processes of judged cgroups.
pub(super) fn namespaces(
    judged: &[Member],
    processes: &HashMap<CgroupId, Vec<Process>>,
) -> BTreeMap<NetnsId, Namespace> {
    let mut namespaces = BTreeMap::new();
    for member in judged {
        for process in processes.get(&member.cgroup).into_iter().flatten() {
            let namespace = namespaces
                .entry(process.netns)
                .or_insert_with(|| Namespace {
                    pid: process.pid,
                    members: Vec::new(),
                });
            let may_open = process.may_open_packet_sockets;
            match namespace.members.last_mut() {
                Some(last) if last.cgroup == member.cgroup => {
                    last.may_open_packet_sockets |= may_open;
                }
                Some(_) | None => namespace.members.push(Member {
                    may_open_packet_sockets: may_open,
                    ..member.clone()
                }),
            }
        }
    }
    namespaces
}

/// A cgroup whose frames are judged: policies apply, or it is isolated.
pub(super) fn judged(
    (cgroup, (tag, assignment)): (&CgroupId, &(Tag, Assignment)),
) -> Option<Member> {
    let judged = tag.stance() == Some(Stance::Judge) || tag.isolated_until != 0;
    judged.then(|| Member {
        path: assignment.path.clone(),
        cgroup: *cgroup,
        class: tag.class,
        may_open_packet_sockets: false,
    })
}
