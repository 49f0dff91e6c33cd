//! Which interfaces are whose: the host's ends of those by which workloads leave their own network
//! namespaces.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io,
    time::Instant,
};

use anyhow::Context as _;
use enforcer_common::abi::CgroupId;

use super::{
    Node,
    gaps::Gaps,
    inhabitants::{Member, Process, judged, namespaces},
};
use crate::{
    control::DeviceCoverage,
    daemon::interfaces,
    events::DaemonEvent,
    kernel::{self, DEVICE_HOOKS, Interface},
    workloads::{
        CgroupPath, Extent,
        cgroup2::upwards,
        interfaces::{HostEnd, Interfaces, NetnsId, PeerId, namespace_of, own_namespace},
    },
};

const SHARED: &str = "a process with CAP_NET_RAW uses the interfaces of the host, where packet \
                      sockets and AF_XDP pass every hook: give it a network namespace of its own, \
                      or drop the capability";
const NO_END: &str = "a network namespace of its processes has no veth or netkit end on the host: \
                      what passes no socket hook is not judged there";

/// What is known of interfaces.
pub(super) struct Devices {
    interfaces: Interfaces,
    own: NetnsId,
    /// As they were listed last; `None` before.
    ends: Option<Vec<HostEnd>>,
    /// They changed since.
    outdated: bool,
    /// Interfaces changed, and nobody looked whether answers that come by them are to be believed.
    untrusted: bool,
    /// Numbers of namespaces that an interface leads to.
    peers: HashMap<NetnsId, PeerId>,
    settled: HashMap<CgroupId, Vec<Process>>,
    attached: BTreeMap<u32, Attached>,
    coverage: HashMap<CgroupPath, DeviceCoverage>,
    gaps: Gaps,
}

/// An interface that is attached to.
struct Attached {
    owner: CgroupId,
    /// It lacks none of the programs.
    complete: bool,
}

impl Devices {
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self {
            interfaces: Interfaces::open()?,
            own: own_namespace()?,
            ends: None,
            outdated: false,
            untrusted: false,
            peers: HashMap::new(),
            settled: HashMap::new(),
            attached: BTreeMap::new(),
            coverage: HashMap::new(),
            gaps: Gaps::default(),
        })
    }

    /// The ends that there are. Whoever takes them puts them back.
    fn ends(&mut self) -> anyhow::Result<Vec<HostEnd>> {
        let before = self.ends.take().unwrap_or_default();
        if !before.is_empty() && !self.outdated {
            return Ok(before);
        }
        let ends = self.interfaces.host_ends().context("list interfaces")?;
        self.outdated = false;
        // The number of a namespace is another's once no interface leads to it any more; the index of
        // an interface is not given again.
        let now: HashSet<(u32, PeerId)> = ends.iter().map(|it| (it.index, it.peer)).collect();
        let stayed = before.iter().map(|it| (it.index, it.peer));
        let stayed = stayed.filter(|it| now.contains(it));
        let stayed: HashSet<PeerId> = stayed.map(|(_, peer)| peer).collect();
        self.peers.retain(|_, peer| stayed.contains(peer));
        Ok(ends)
    }

    /// The processes of a cgroup of which all was judged, or that had none.
    pub(super) fn settled(&self, cgroup: CgroupId) -> Option<&Vec<Process>> {
        self.settled.get(&cgroup)
    }

    pub(super) fn is_own(&self, netns: NetnsId) -> bool {
        netns == self.own
    }
}

impl Node {
    /// Attaches at the interfaces of workloads that have none of the programs yet, and lets go of
    /// those that are nobody's any more. Cgroups outside the extent are taken to have the processes that
    /// they had, where those were covered.
    ///
    /// # Errors
    /// The kernel refuses. What is attached stays.
    pub fn cover_devices(&mut self, extent: &Extent) -> anyhow::Result<()> {
        if *extent == Extent::All {
            self.forget_devices()?;
        }
        // First the links: for each namespace that one leads to, it is known by a number afterwards.
        let ends = self.devices.ends()?;
        let judged: Vec<Member> = self.tags.iter().filter_map(judged).collect();
        let by_path: HashMap<&str, &Member> =
            judged.iter().map(|it| (it.path.as_str(), it)).collect();
        let processes = self.processes(&judged, extent);
        let mut coverage = HashMap::new();
        let mut found = HashMap::new();
        for (id, namespace) in namespaces(&judged, &processes) {
            let own = id == self.devices.own;
            let peer = if own {
                None
            } else {
                self.peer_of(id, namespace.pid)?
            };
            let ends = ends.iter().filter(|end| Some(end.peer) == peer);
            let ends: Vec<&HostEnd> = ends.collect();
            let owner = owner(&namespace.members, &by_path);
            for end in &ends {
                self.attach_end(end, owner.cgroup)?;
            }
            for member in &namespace.members {
                let reason = if own {
                    member.may_open_packet_sockets.then(|| SHARED.to_owned())
                } else if ends.is_empty() {
                    Some(NO_END.to_owned())
                } else if member.class != owner.class {
                    Some(format!(
                        "its interface is judged by the policies of {}, which differ",
                        owner.path
                    ))
                } else {
                    None
                };
                for path in upwards(&member.path) {
                    merge(&mut coverage, path, &ends, reason.as_deref());
                }
                let known = found.entry(member.cgroup).or_insert(None);
                if known.is_none() {
                    *known = reason;
                }
            }
        }
        self.devices.coverage = coverage;
        // A cgroup without processes is not found; its first one is a notice.
        let is_settled = |cgroup: &CgroupId| found.get(cgroup).is_none_or(Option::is_none);
        let settled = processes
            .into_iter()
            .filter(|(cgroup, _)| is_settled(cgroup));
        self.devices.settled = settled.collect();
        self.tell_gaps(found);
        self.release_devices(&ends, &judged)?;
        self.devices.ends = Some(ends);
        Ok(())
    }

    /// Interfaces are listed anew when they are asked for next.
    pub fn interfaces_changed(&mut self) {
        self.devices.outdated = true;
        self.devices.untrusted = true;
    }

    /// Believes the answers that come by the interfaces that there are now, if they changed.
    pub fn trust_new_interfaces(&mut self) {
        if self.devices.untrusted {
            self.trust_interfaces();
        }
    }

    /// Believes the answers that come by the interfaces that there are now.
    pub fn trust_interfaces(&mut self) {
        self.devices.untrusted = false;
        // Workloads may be there already, and have made devices of their own.
        let devices = kernel::Interfaces::without_tunnels_of_processes();
        interfaces::trust(&mut self.enforcement, devices);
    }

    /// What was found is looked for again.
    fn forget_devices(&mut self) -> anyhow::Result<()> {
        let attached = self.enforcement.devices()?;
        let devices = &mut self.devices;
        devices.ends = None;
        devices.peers.clear();
        devices.settled.clear();
        let attached = attached.into_iter().map(|device| {
            let complete = device.hooks.len() == DEVICE_HOOKS.len();
            let owner = device.cgroup;
            (device.index, Attached { owner, complete })
        });
        devices.attached = attached.collect();
        Ok(())
    }

    fn peer_of(&mut self, netns: NetnsId, pid: u32) -> io::Result<Option<PeerId>> {
        let Devices {
            interfaces, peers, ..
        } = &mut self.devices;
        if let Some(peer) = peers.get(&netns) {
            return Ok(Some(*peer));
        }
        // The process may be gone since it was looked at, and its number another's.
        let asked = namespace_of(pid).filter(|it| *it == netns);
        let peer = match asked {
            Some(_) => interfaces.peer_of(pid)?,
            None => None,
        };
        if let Some(peer) = peer {
            peers.insert(netns, peer);
        }
        Ok(peer)
    }

    fn attach_end(&mut self, end: &HostEnd, owner: CgroupId) -> anyhow::Result<()> {
        let attached = self.devices.attached.get(&end.index);
        if attached.is_some_and(|it| it.complete && it.owner == owner) {
            return Ok(());
        }
        let interface = Interface {
            index: end.index,
            name: end.name.clone(),
        };
        // It may be gone since; its end is another notice.
        self.enforcement.attach_device(&interface, owner)?;
        let attached = Attached {
            owner,
            complete: true,
        };
        self.devices.attached.insert(end.index, attached);
        Ok(())
    }

    /// Whether [`cover_devices`](Self::cover_devices) is to be asked again soon.
    #[must_use]
    pub fn watches_gaps(&self) -> bool {
        self.devices.gaps.is_watching()
    }

    fn tell_gaps(&mut self, found: HashMap<CgroupId, Option<String>>) {
        for (cgroup, news) in self.devices.gaps.see(found, Instant::now()) {
            let Some((_, assignment)) = self.tags.get(&cgroup) else {
                continue;
            };
            let workload = self.workload_info(assignment).name;
            self.news.push(match news {
                Some(reason) => DaemonEvent::CoverageLost { workload, reason },
                None => DaemonEvent::CoverageRestored { workload },
            });
        }
    }

    fn release_devices(&mut self, ends: &[HostEnd], judged: &[Member]) -> anyhow::Result<()> {
        let ends: HashSet<u32> = ends.iter().map(|end| end.index).collect();
        let judged: HashSet<CgroupId> = judged.iter().map(|it| it.cgroup).collect();
        let attached = self.devices.attached.iter();
        let unwanted = attached
            .filter(|(index, device)| !ends.contains(index) || !judged.contains(&device.owner));
        for index in unwanted.map(|(index, _)| *index).collect::<Vec<_>>() {
            self.enforcement.detach_device(index)?;
            self.devices.attached.remove(&index);
        }
        Ok(())
    }

    /// How the interfaces of a workload are covered; `None` while none of its processes is known.
    #[must_use]
    pub fn device_coverage(&self, cgroup: &str) -> Option<&DeviceCoverage> {
        self.devices.coverage.get(cgroup)
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
