//! Which interfaces are whose: the host's ends of those by which workloads leave their own network
//! namespaces.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io,
};

use anyhow::Context as _;
use enforcer_common::abi::CgroupId;

use super::inhabitants::{Inhabitants, Member, namespaces};
use crate::{
    control::DeviceCoverage,
    kernel::{DEVICE_HOOKS, DeviceLinks, Interface},
    workloads::{
        Cgroup2, CgroupPath, Extent,
        cgroup2::upwards,
        interfaces::{HostEnd, Interfaces, NetnsId, PeerId, namespace_of},
    },
};

const SHARED: &str = "a process with CAP_NET_RAW uses the interfaces of the host, where packet \
                      sockets and AF_XDP pass every hook: give it a network namespace of its own, \
                      or drop the capability";
const NO_END: &str = "a network namespace of its processes has no veth or netkit end on the host: \
                      what passes no socket hook is not judged there";

/// What is known of interfaces, and their programs.
pub(super) struct Devices {
    links: DeviceLinks,
    interfaces: Interfaces,
    inhabitants: Inhabitants,
    /// As they were listed last; `None` before.
    ends: Option<Vec<HostEnd>>,
    /// Numbers of namespaces that an interface leads to.
    peers: HashMap<NetnsId, PeerId>,
    attached: BTreeMap<u32, Attached>,
}

/// How workloads stand that have processes.
#[derive(Default)]
pub(super) struct Coverage {
    /// By path: of those and of all above them.
    pub(super) of: HashMap<CgroupPath, DeviceCoverage>,
    /// Why not all of one is judged, if so.
    pub(super) gaps: HashMap<CgroupId, Option<String>>,
}

/// An interface that is attached to.
struct Attached {
    owner: CgroupId,
    /// It lacks none of the programs.
    complete: bool,
}

impl Devices {
    /// In the network namespace of this thread.
    pub(super) fn open(links: DeviceLinks, cgroups: Cgroup2) -> io::Result<Self> {
        Ok(Self {
            links,
            interfaces: Interfaces::open()?,
            inhabitants: Inhabitants::new(cgroups)?,
            ends: None,
            peers: HashMap::new(),
            attached: BTreeMap::new(),
        })
    }

    /// Attaches at the interfaces of judged workloads that have none of the programs yet, and lets go of
    /// those that are nobody's any more. Cgroups outside the extent are taken to have the processes that
    /// they had, where those were covered.
    ///
    /// # Errors
    /// The kernel does not tell of its interfaces, or a program cannot be detached. What is attached stays.
    pub(super) fn cover(
        &mut self,
        judged: &[Member],
        extent: &Extent,
        interfaces_changed: bool,
    ) -> anyhow::Result<Coverage> {
        if *extent == Extent::All {
            self.forget()?;
        }
        // First the links: for each namespace that one leads to, it is known by a number afterwards.
        if interfaces_changed || self.ends.as_ref().is_none_or(Vec::is_empty) {
            self.list_ends()?;
        }
        let ends = self.ends.take().unwrap_or_default();
        let covered = self.attach_ends(&ends, judged, extent);
        let released = self.release(&ends, judged);
        self.ends = Some(ends);
        released.and(covered)
    }

    fn list_ends(&mut self) -> anyhow::Result<()> {
        let before = self.ends.take().unwrap_or_default();
        let ends = self.interfaces.host_ends().context("list interfaces")?;
        // The number of a namespace is another's once no interface leads to it any more; the index of
        // an interface is not given again.
        let now: HashSet<(u32, PeerId)> = ends.iter().map(|it| (it.index, it.peer)).collect();
        let stayed = before.iter().map(|it| (it.index, it.peer));
        let stayed = stayed.filter(|it| now.contains(it));
        let stayed: HashSet<PeerId> = stayed.map(|(_, peer)| peer).collect();
        self.peers.retain(|_, peer| stayed.contains(peer));
        self.ends = Some(ends);
        Ok(())
    }

    fn attach_ends(
        &mut self,
        ends: &[HostEnd],
        judged: &[Member],
        extent: &Extent,
    ) -> anyhow::Result<Coverage> {
        let by_path: HashMap<&str, &Member> =
            judged.iter().map(|it| (it.path.as_str(), it)).collect();
        let processes = self.inhabitants.processes(judged, extent);
        let mut coverage = Coverage::default();
        for (id, namespace) in namespaces(judged, &processes) {
            let own = self.inhabitants.is_own(id);
            let peer = if own {
                None
            } else {
                self.peer_of(id, namespace.pid)?
            };
            let ends = ends.iter().filter(|end| Some(end.peer) == peer);
            let ends: Vec<&HostEnd> = ends.collect();
            let owner = owner(&namespace.members, &by_path);
            let attached: Vec<_> = ends
                .iter()
                .map(|it| self.attach(it, owner.cgroup))
                .collect();
            let refused = attached.into_iter().find_map(Result::err);
            for member in &namespace.members {
                let reason = if own {
                    member.may_open_packet_sockets.then(|| SHARED.to_owned())
                } else if ends.is_empty() {
                    Some(NO_END.to_owned())
                } else if let Some(refused) = &refused {
                    // It may only be gone since; its end is another notice.
                    Some(format!("the programs cannot be attached: {refused:#}"))
                } else if member.class != owner.class {
                    Some(format!(
                        "its interface is judged by the policies of {}, which differ",
                        owner.path
                    ))
                } else {
                    None
                };
                for path in upwards(&member.path) {
                    merge(&mut coverage.of, path, &ends, reason.as_deref());
                }
                let known = coverage.gaps.entry(member.cgroup).or_insert(None);
                if known.is_none() {
                    *known = reason;
                }
            }
        }
        // A cgroup without processes is not found; its first one is a notice.
        let is_settled = |cgroup: &CgroupId| coverage.gaps.get(cgroup).is_none_or(Option::is_none);
        self.inhabitants.settle(processes, is_settled);
        Ok(coverage)
    }

    /// What was found is looked for again.
    fn forget(&mut self) -> anyhow::Result<()> {
        self.ends = None;
        self.peers.clear();
        self.inhabitants.forget();
        let attached = self.links.list()?.into_iter().map(|device| {
            let complete = device.hooks.len() == DEVICE_HOOKS.len();
            let owner = device.cgroup;
            (device.index, Attached { owner, complete })
        });
        self.attached = attached.collect();
        Ok(())
    }

    fn peer_of(&mut self, netns: NetnsId, pid: u32) -> io::Result<Option<PeerId>> {
        if let Some(peer) = self.peers.get(&netns) {
            return Ok(Some(*peer));
        }
        // The process may be gone since it was looked at, and its number another's.
        let asked = namespace_of(pid).filter(|it| *it == netns);
        let peer = match asked {
            Some(_) => self.interfaces.peer_of(pid)?,
            None => None,
        };
        if let Some(peer) = peer {
            self.peers.insert(netns, peer);
        }
        Ok(peer)
    }

    fn attach(&mut self, end: &HostEnd, owner: CgroupId) -> anyhow::Result<()> {
        let attached = self.attached.get(&end.index);
        if attached.is_some_and(|it| it.complete && it.owner == owner) {
            return Ok(());
        }
        let interface = Interface {
            index: end.index,
            name: end.name.clone(),
        };
        self.links.attach(&interface, owner)?;
        let attached = Attached {
            owner,
            complete: true,
        };
        self.attached.insert(end.index, attached);
        Ok(())
    }

    fn release(&mut self, ends: &[HostEnd], judged: &[Member]) -> anyhow::Result<()> {
        let ends: HashSet<u32> = ends.iter().map(|end| end.index).collect();
        let judged: HashSet<CgroupId> = judged.iter().map(|it| it.cgroup).collect();
        let attached = self.attached.iter();
        let unwanted = attached
            .filter(|(index, device)| !ends.contains(index) || !judged.contains(&device.owner));
        for index in unwanted.map(|(index, _)| *index).collect::<Vec<_>>() {
            self.links.detach(index)?;
            self.attached.remove(&index);
        }
        Ok(())
    }
}

/// The cgroup whose tag judges an interface: the nearest one at or above all that use it, as the pod
/// of several containers is; where there is none, the first by its path.
fn owner<'a>(members: &'a [Member], judged: &HashMap<&str, &'a Member>) -> &'a Member {
    let first = members
        .iter()
        .min_by(|a, b| a.path.cmp(&b.path))
        .unwrap_or(&members[0]);
    let covers = |path: &str| {
        let is_below = |member: &Member| upwards(&member.path).any(|above| above == path);
        members.iter().all(is_below)
    };
    upwards(&first.path)
        .filter(|path| covers(path))
        .find_map(|path| judged.get(path).copied())
        .unwrap_or(first)
}

fn merge(
    coverage: &mut HashMap<CgroupPath, DeviceCoverage>,
    path: &str,
    ends: &[&HostEnd],
    reason: Option<&str>,
) {
    let entry = coverage
        .entry(path.to_owned())
        .or_insert_with(|| DeviceCoverage {
            covered: true,
            interfaces: Vec::new(),
            reason: None,
        });
    entry.covered &= reason.is_none();
    entry
        .interfaces
        .extend(ends.iter().map(|end| end.name.clone()));
    entry.interfaces.sort_unstable();
    entry.interfaces.dedup();
    if let Some(reason) = reason {
        entry.reason.get_or_insert_with(|| reason.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use enforcer_common::abi::ClassId;

    use super::*;

    fn member(path: &str, class: u16) -> Member {
        Member {
            path: path.into(),
            cgroup: CgroupId(path.len() as u64),
            class: ClassId(class),
            may_open_packet_sockets: false,
        }
    }

    #[test]
    fn a_pod_owns_the_interface_of_its_containers() {
        let [pod, app, sidecar] = [
            member("/pod", 1),
            member("/pod/app", 2),
            member("/pod/side", 1),
        ];
        let containers = [sidecar.clone(), app.clone()];
        let mut judged: HashMap<&str, &Member> = [&sidecar, &app, &pod]
            .map(|member| (member.path.as_str(), member))
            .into();
        assert_eq!(owner(&containers, &judged), &pod);
        assert_eq!(owner(std::slice::from_ref(&app), &judged), &app);
        judged.remove("/pod");
        assert_eq!(owner(&containers, &judged), &app);
    }

    #[test]
    fn what_is_not_covered_is_said_once() {
        let mut coverage = HashMap::new();
        merge(&mut coverage, "/pod", &[], Some("why"));
        merge(&mut coverage, "/pod", &[], None);
        merge(&mut coverage, "/pod", &[], Some("later"));
        let found = &coverage["/pod"];
        assert_eq!(
            (found.covered, found.reason.as_deref()),
            (false, Some("why"))
        );
    }
}
