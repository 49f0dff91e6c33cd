//! Pods: which of them have cgroups here, and which of those nobody has told of.

use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration, Instant},
};

use super::Node;
use crate::{
    daemon::settings::Unknown,
    events::DaemonEvent,
    policy::Selector,
    workloads::{Assignment, CgroupPath, Extent, PodInfo, layout::PodUid},
};

/// How long a pod is waited for unless settings say.
const PATIENCE: Duration = Duration::from_secs(30);

/// Pods with cgroups.
#[derive(Default)]
pub(super) struct SeenPods(BTreeMap<CgroupPath, Seen>);

/// A cgroup of a pod.
struct Seen {
    pod: PodUid,
    /// Since when it is waited that somebody tells of the pod.
    awaited: Option<Instant>,
}

impl SeenPods {
    /// Takes what was assigned in an extent.
    pub(super) fn see(&mut self, assigned: &[Assignment], extent: &Extent) {
        let before = self.0.extract_if(.., |path, _| extent.has(path));
        let before: BTreeMap<CgroupPath, Seen> = before.collect();
        for assignment in assigned {
            let Some(pod) = assignment.pod else {
                continue;
            };
            let since = before.get(&assignment.path).and_then(|seen| seen.awaited);
            let awaited = assignment
                .awaited
                .then(|| since.unwrap_or_else(Instant::now));
            self.0
                .insert(assignment.path.clone(), Seen { pod, awaited });
        }
    }

    fn all(&self) -> HashSet<PodUid> {
        self.0.values().map(|seen| seen.pod).collect()
    }

    fn of(&self, pods: &HashSet<PodUid>) -> Extent {
        let of_pods = self.0.iter().filter(|(_, seen)| pods.contains(&seen.pod));
        Extent::trees(of_pods.map(|(path, _)| path.clone()))
    }
}

impl Node {
    /// Takes what a source lists; the cgroups for which that changes anything, if there are any.
    pub fn learn_pods(&mut self, listed: Vec<(PodUid, PodInfo)>) -> Option<Extent> {
        let changed = self.scope.pods.learn(listed, &self.pods.all());
        (!changed.is_empty()).then(|| self.pods.of(&changed))
    }

    /// Takes the pods that the cluster lists on this node; the cgroups for which that changes anything,
    /// if there are any. It knows them better than the container runtime, whose labels are those of the
    /// pod's creation.
    pub fn learn_pods_of_cluster(&mut self, listed: Vec<(PodUid, PodInfo)>) -> Option<Extent> {
        let changed = self.scope.pods.learn_of_cluster(listed, &self.pods.all());
        (!changed.is_empty()).then(|| self.pods.of(&changed))
    }

    /// Whether a pod waits for somebody to tell of it.
    #[must_use]
    pub fn awaits_pods(&self) -> bool {
        self.awaits_pods_in(&Extent::All)
    }

    /// Whether a pod with a cgroup in an extent does.
    #[must_use]
    pub fn awaits_pods_in(&self, extent: &Extent) -> bool {
        let awaited = self
            .pods
            .0
            .iter()
            .filter(|(_, seen)| seen.awaited.is_some());
        awaited.into_iter().any(|(path, _)| extent.has(path))
    }

    /// Whether a policy selects pods, so that it matters who tells of them.
    #[must_use]
    pub fn selects_pods(&self) -> bool {
        let mut selectors = self.policies().iter().flat_map(|policy| &policy.selectors);
        selectors.any(|selector| matches!(selector, Selector::Pods(_)))
    }

    /// Waits no longer for pods that nobody told of in time; the cgroups of those, if there were any.
    pub fn give_up_on_pods(&mut self) -> Option<Extent> {
        let patience = self.settings.resolve_within.map_or(PATIENCE, |it| it.0);
        let stance = self.settings.unresolved.unwrap_or(Unknown::Deny).as_str();
        let mut given_up = HashSet::new();
        // A pod's own cgroup comes before those of its containers.
        for (path, Seen { pod, awaited }) in &self.pods.0 {
            let waited = awaited.map_or(Duration::ZERO, |since| since.elapsed());
            if waited >= patience && awaited.is_some() && given_up.insert(*pod) {
                self.scope.pods.give_up(*pod);
                self.news.push(DaemonEvent::PodUnresolved {
                    pod: pod.to_string(),
                    cgroup: path.as_str().into(),
                    waited_seconds: waited.as_secs(),
                    stance,
                });
            }
        }
        (!given_up.is_empty()).then(|| self.pods.of(&given_up))
    }
}
