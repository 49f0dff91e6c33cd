//! What a node tells the lower line of itself.

use std::sync::Arc;

use super::Node;
use crate::{
    control::Problem,
    daemon::context::Known,
    events::{DaemonEvent, WorkloadInfo, WorkloadKind},
    workloads::{
        Assignment, Extent,
        layout::{Owner, owner},
    },
};

impl Node {
    /// Names everything for events.
    pub fn introduce(&self, known: &mut Known) {
        self.introduce_in(known, &Extent::All);
    }

    /// The same, but workloads of a part of the cgroups only.
    pub(super) fn introduce_in(&self, known: &mut Known, extent: &Extent) {
        if let Some(loaded) = &self.loaded {
            known.learn_image(&loaded.image);
            known.learn_geo(Arc::clone(&loaded.geo));
        }
        known.keep_workloads(|cgroup| self.tags.contains_key(&cgroup));
        let of_extent = |assignment: &Assignment| extent.has(&assignment.path);
        let tags = self.tags.iter().filter(|(_, tag)| of_extent(&tag.1));
        for (cgroup, (_, assignment)) in tags {
            let workload = self.workload_info(assignment);
            known.learn_workload(*cgroup, &assignment.path, workload);
        }
    }

    pub(super) fn workload_info(&self, assignment: &Assignment) -> WorkloadInfo {
        if let Some(info) = assignment.pod.and_then(|pod| self.scope.pods.get(pod)) {
            return WorkloadInfo {
                name: format!("{}/{}", info.namespace, info.name).into(),
                kind: WorkloadKind::Pod {
                    namespace: Arc::clone(&info.namespace),
                    pod: Arc::clone(&info.name),
                },
            };
        }
        let (name, kind) = match owner(&assignment.path) {
            Some(Owner::Unit(unit)) => (unit, WorkloadKind::SystemdUnit),
            Some(Owner::Pod(_) | Owner::Container { .. }) | None => {
                (assignment.path.as_str(), WorkloadKind::Cgroup)
            }
        };
        WorkloadInfo {
            name: name.into(),
            kind,
        }
    }

    /// What to tell when the daemon starts.
    #[must_use]
    pub fn started(&self) -> DaemonEvent {
        let generation = self.generation;
        if self.enforcement.is_adopted() {
            DaemonEvent::Adopted { generation }
        } else {
            DaemonEvent::Started { generation }
        }
    }

    /// What to tell of a push that was refused.
    #[must_use]
    pub fn rejected(&self, problem: &Problem) -> DaemonEvent {
        let text = |finding: &serde_json::Value, field: &str| {
            let value = &finding[field];
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        };
        let line = |finding| {
            let [file, line, column, message] =
                ["file", "line", "column", "message"].map(|field| text(finding, field));
            format!("{file}:{line}:{column}: {message}")
        };
        let diagnostics = if problem.findings.is_empty() {
            problem.error.lines().map(str::to_owned).collect()
        } else {
            problem.findings.iter().map(line).collect()
        };
        DaemonEvent::PoliciesRejected {
            generation: self.generation,
            diagnostics,
        }
    }

    /// What to tell of a reload.
    #[must_use]
    pub fn reloaded(&self) -> DaemonEvent {
        let generation = self.generation;
        match &self.last_error {
            Some(error) => DaemonEvent::PoliciesRejected {
                generation,
                diagnostics: error.lines().map(str::to_owned).collect(),
            },
            None => DaemonEvent::PoliciesLoaded {
                generation,
                policies: self.policies().len() as u32,
            },
        }
    }
}
