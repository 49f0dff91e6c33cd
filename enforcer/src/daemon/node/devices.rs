//! Which interfaces are whose: the host's ends of those by which workloads leave their own network
//! namespaces.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    time::Instant,
};

use anyhow::Context as _;
use enforcer_common::abi::{CgroupId, ClassId, Stance, Tag};

use super::{Node, gaps::Gaps};
use crate::{
    control::DeviceCoverage,
    events::DaemonEvent,
    kernel::Interface,
    workloads::{
        CgroupPath,
        cgroup2::upwards,
        interfaces::{
            HostEnd, Interfaces, NetnsId, may_open_packet_sockets, namespace_of, own_namespace,
        },
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
    coverage: HashMap<CgroupPath, DeviceCoverage>,
    gaps: Gaps,
}

/// A network namespace with processes of workloads.
struct Namespace {
    /// One of them.
    pid: u32,
    /// Tagged cgroups with processes in it.
    members: Vec<Member>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    path: CgroupPath,
    cgroup: CgroupId,
    class: ClassId,
    /// Of its processes on the host's interfaces.
    may_open_packet_sockets: bool,
}

impl Devices {
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self {
            interfaces: Interfaces::open()?,
            own: own_namespace()?,
            coverage: HashMap::new(),
            gaps: Gaps::default(),
        })
    }
}

impl Node {
    /// Attaches at the interfaces of workloads that have none of the programs yet, and lets go of
    /// those that are nobody's any more.
    ///
    /// # Errors
    /// The kernel refuses. What is attached stays.
    pub fn cover_devices(&mut self) -> anyhow::Result<()> {
        let interfaces = &mut self.devices.interfaces;
        // First the links: for each namespace that one leads to, it is known by a number afterwards.
        let ends = interfaces.host_ends().context("list interfaces")?;
        let judged: Vec<Member> = self.tags.iter().filter_map(judged).collect();
        let mut coverage = HashMap::new();
        let mut found = HashMap::new();
        for (id, namespace) in self.namespaces(&judged) {
            let own = id == self.devices.own;
            let peer = if own {
                None
            } else {
                self.devices.interfaces.peer_of(namespace.pid)?
            };
            let ends = ends.iter().filter(|end| Some(end.peer) == peer);
            let ends: Vec<&HostEnd> = ends.collect();
            let owner = owner(&namespace.members, &judged);
            for end in &ends {
                let interface = Interface {
                    index: end.index,
                    name: end.name.clone(),
                };
                // It may be gone since; its end is another notice.
                self.enforcement.attach_device(&interface, owner.cgroup)?;
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
        self.tell_gaps(found);
        self.release_devices(&ends, &judged)
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
        for device in self.enforcement.devices()? {
            let exists = ends.iter().any(|end| end.index == device.index);
            let wanted = judged.iter().any(|member| member.cgroup == device.cgroup);
            if !exists || !wanted {
                self.enforcement.detach_device(device.index)?;
            }
        }
        Ok(())
    }

    /// Network namespaces of the processes of judged cgroups.
    fn namespaces(&self, judged: &[Member]) -> BTreeMap<NetnsId, Namespace> {
        let mut namespaces = BTreeMap::new();
        for member in judged {
            for pid in self.cgroups.processes(&member.path) {
                let Some(id) = namespace_of(pid) else {
                    continue;
                };
                let namespace = namespaces.entry(id).or_insert_with(|| Namespace {
                    pid,
                    members: Vec::new(),
                });
                let may_open = id == self.devices.own && may_open_packet_sockets(pid);
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

    /// How the interfaces of a workload are covered; `None` while none of its processes is known.
    #[must_use]
    pub fn device_coverage(&self, cgroup: &str) -> Option<&DeviceCoverage> {
        self.devices.coverage.get(cgroup)
    }
}

/// A cgroup whose frames are judged: policies apply, or it is isolated.
fn judged((cgroup, (tag, assignment)): (&CgroupId, &(Tag, super::Assignment))) -> Option<Member> {
    let judged = tag.stance() == Some(Stance::Judge) || tag.isolated_until != 0;
    judged.then(|| Member {
        path: assignment.path.clone(),
        cgroup: *cgroup,
        class: tag.class,
        may_open_packet_sockets: false,
    })
}

/// The cgroup whose tag judges an interface: the nearest one at or above all that use it, as the pod
/// of several containers is; where there is none, the first by its path.
fn owner<'a>(members: &'a [Member], judged: &'a [Member]) -> &'a Member {
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
        .find_map(|path| judged.iter().find(|member| member.path == path))
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
        let judged = [sidecar.clone(), app.clone(), pod.clone()];
        let containers = [sidecar.clone(), app.clone()];
        assert_eq!(owner(&containers, &judged), &pod);
        assert_eq!(owner(std::slice::from_ref(&app), &judged), &app);
        assert_eq!(owner(&containers, &judged[..2]), &app);
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
