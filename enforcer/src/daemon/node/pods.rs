//! Pods: which of them have cgroups here, and which of those nobody has told of.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use super::Node;
use crate::{
    daemon::settings::Unknown,
    events::DaemonEvent,
    policy::Selector,
    workloads::{Assignment, CgroupPath, PodInfo, layout::PodUid},
};

/// How long a pod is waited for unless settings say.
const PATIENCE: Duration = Duration::from_secs(30);

/// Pods with cgroups.
#[derive(Default)]
pub(super) struct SeenPods {
    all: HashSet<PodUid>,
    /// Pods that nobody has told of, the path of each, and since when it is waited for.
    awaited: HashMap<PodUid, (CgroupPath, Instant)>,
}

impl SeenPods {
    /// Takes what was assigned.
    pub(super) fn see(&mut self, assigned: &[Assignment]) {
        self.all = assigned.iter().filter_map(|it| it.pod).collect();
        let mut awaited = HashMap::new();
        for assignment in assigned.iter().filter(|it| it.awaited) {
            if let Some(pod) = assignment.pod {
                let since = self.awaited.get(&pod).map(|(_, since)| *since);
                awaited.entry(pod).or_insert_with(|| {
                    let since = since.unwrap_or_else(Instant::now);
                    (assignment.path.clone(), since)
                });
            }
        }
        self.awaited = awaited;
    }
}

impl Node {
    /// Takes what a source lists; whether that changes anything.
    pub fn learn_pods(&mut self, listed: Vec<(PodUid, PodInfo)>) -> bool {
        self.scope.pods.learn(listed, &self.pods.all)
    }

    /// Takes the pods that the cluster lists on this node; whether that changes anything. It knows
    /// them better than the container runtime, whose labels are those of the pod's creation.
    pub fn learn_pods_of_cluster(&mut self, listed: Vec<(PodUid, PodInfo)>) -> bool {
        self.scope.pods.learn_of_cluster(listed, &self.pods.all)
    }

    /// Whether a pod waits for somebody to tell of it.
    #[must_use]
    pub fn awaits_pods(&self) -> bool {
        !self.pods.awaited.is_empty()
    }

    /// Whether a policy selects pods, so that it matters who tells of them.
    #[must_use]
    pub fn selects_pods(&self) -> bool {
        let mut selectors = self.policies().iter().flat_map(|policy| &policy.selectors);
        selectors.any(|selector| matches!(selector, Selector::Pods(_)))
    }

    /// Waits no longer for pods that nobody told of in time; whether there were any.
    pub fn give_up_on_pods(&mut self) -> bool {
        let patience = self.settings.resolve_within.map_or(PATIENCE, |it| it.0);
        let stance = self.settings.unresolved.unwrap_or(Unknown::Deny).as_str();
        let before = self.news.len();
        for (pod, (path, since)) in &self.pods.awaited {
            if since.elapsed() >= patience {
                self.scope.pods.give_up(*pod);
                self.news.push(DaemonEvent::PodUnresolved {
                    pod: pod.to_string(),
                    cgroup: path.as_str().into(),
                    waited_seconds: since.elapsed().as_secs(),
                    stance,
                });
            }
        }
        self.news.len() > before
    }
}
