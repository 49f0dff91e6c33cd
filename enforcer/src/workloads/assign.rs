//! Cgroups to policies.

use enforcer_common::abi::Stance;

use super::{
    cgroup2::{Cgroup2, CgroupPath},
    layout::{self, PodUid, pod},
    pods::Pods,
};
use crate::policy::{Policy, PolicyName, Selector};

/// What a cgroup is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Path below the mount.
    pub path: CgroupPath,
    /// Policies that select it or an ancestor, sorted. Empty: no policy does.
    pub policies: Vec<PolicyName>,
    /// How it stands when no policy selects it.
    pub otherwise: Option<Stance>,
    /// The hooks go here.
    pub attach: bool,
    /// The pod that it is, or is of.
    pub pod: Option<PodUid>,
    /// Nobody has told of the pod yet, and a policy selects pods: the cgroup stays unknown, or keeps
    /// the tag that it has.
    pub awaited: bool,
}

/// Where to look for workloads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Managed roots, as paths below the mount. Without any, the hooks go to each selected cgroup
    /// and nothing is unknown.
    pub roots: Vec<CgroupPath>,
    /// How what is below a managed root and not yet known stands.
    pub unknown: Stance,
    /// What is known of pods.
    pub pods: Pods,
    /// How a pod stands that nobody told of in time.
    pub unresolved: Stance,
}

impl Scope {
    /// Looks at every cgroup in scope.
    ///
    /// A policy that selects a cgroup holds for all below it, whatever else selects those: making a
    /// child cgroup must not shed a policy.
    #[must_use]
    pub fn assign(&self, cgroups: &Cgroup2, policies: &[Policy]) -> Vec<Assignment> {
        let mut assigned = Vec::new();
        if self.roots.is_empty() {
            self.descend(cgroups, policies, "/", &[], &mut assigned);
        }
        for root in &self.roots {
            let before = assigned.len();
            self.descend(cgroups, policies, root, &[], &mut assigned);
            if let Some(root) = assigned.get_mut(before) {
                root.attach = true;
                root.otherwise = Some(self.unknown);
            }
        }
        assigned
    }

    fn descend(
        &self,
        cgroups: &Cgroup2,
        policies: &[Policy],
        path: &str,
        inherited: &[PolicyName],
        assigned: &mut Vec<Assignment>,
    ) {
        let mut selecting: Vec<PolicyName> = inherited.to_vec();
        let pod = pod(path);
        let info = pod.and_then(|pod| self.pods.get(pod));
        let matches = |selector: &Selector| match (selector, info) {
            (Selector::Pods(pods), Some(info)) => pods.matches(&info.namespace, &info.labels),
            _ => selector.matches_cgroup(path),
        };
        let selects = |policy: &&Policy| policy.selectors.iter().any(matches);
        selecting.extend(
            policies
                .iter()
                .filter(selects)
                .map(|policy| policy.name.clone()),
        );
        selecting.sort_unstable();
        selecting.dedup();
        let managed = !self.roots.is_empty();
        let untold = pod.filter(|_| info.is_none() && policies.iter().any(selects_pods));
        let given_up = untold.is_some_and(|pod| self.pods.is_given_up(pod));
        let awaited = untold.is_some() && !given_up;
        if awaited {
            selecting.clear();
        }
        if awaited || managed || !selecting.is_empty() {
            assigned.push(Assignment {
                path: path.to_owned(),
                attach: !managed && inherited.is_empty() && !awaited,
                otherwise: (managed && !awaited).then(|| {
                    if given_up {
                        self.unresolved
                    } else {
                        self.stance(cgroups, policies, path, pod)
                    }
                }),
                policies: selecting.clone(),
                pod,
                awaited,
            });
        }
        for child in cgroups.children(path) {
            self.descend(cgroups, policies, &child, &selecting, assigned);
        }
    }

    /// How a cgroup stands that no policy selects. Where a selected one can be made below it, what
    /// appears there must not pass for released in the moment before it is looked at; unless
    /// processes run in the cgroup itself, which are nobody's that a policy selects.
    fn stance(
        &self,
        cgroups: &Cgroup2,
        policies: &[Policy],
        path: &str,
        pod: Option<PodUid>,
    ) -> Stance {
        let mut selectors = policies.iter().flat_map(|policy| &policy.selectors);
        let is_place = pod.is_none()
            && selectors.any(|selector| may_select_below(selector, path))
            && cgroups.processes(path).is_empty();
        if is_place {
            self.unknown
        } else {
            Stance::Release
        }
    }
}

/// Whether a cgroup that a selector selects can be made below this one.
fn may_select_below(selector: &Selector, path: &str) -> bool {
    match selector {
        Selector::Exec => false,
        Selector::Cgroup(_) => selector.may_match_below(path),
        Selector::SystemdUnit(_) => layout::holds_units(path),
        Selector::Pods(_) => layout::holds_pods(path),
    }
}

fn selects_pods(policy: &Policy) -> bool {
    let of_pods = |selector: &Selector| matches!(selector, Selector::Pods(_));
    policy.selectors.iter().any(of_pods)
}
