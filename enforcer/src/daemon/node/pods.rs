//! Pods: which of them have cgroups here, and which of those nobody has told of.

use std::collections::HashSet;

use super::Node;
use crate::workloads::{Assignment, PodInfo, layout::PodUid};

/// Pods with cgroups.
#[derive(Default)]
pub(super) struct SeenPods {
    all: HashSet<PodUid>,
    awaited: bool,
}

impl SeenPods {
    pub(super) fn of(assigned: &[Assignment]) -> Self {
        Self {
            all: assigned.iter().filter_map(|it| it.pod).collect(),
            awaited: assigned.iter().any(|it| it.awaited),
        }
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
        self.pods.awaited
    }
}
