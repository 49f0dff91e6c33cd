//! Cgroups to policies.

use enforcer_common::abi::Stance;

use super::{
    cgroup2::{Cgroup2, CgroupPath, upwards},
    extent::Extent,
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
    /// Looks at the cgroups of an extent, parents first.
    ///
    /// A policy that selects a cgroup holds for all below it, whatever else selects those: making a
    /// child cgroup must not shed a policy.
    #[must_use]
    pub fn assign(
        &self,
        cgroups: &Cgroup2,
        policies: &[Policy],
        extent: &Extent,
    ) -> Vec<Assignment> {
        let mut look = Look {
            scope: self,
            cgroups,
            policies,
            assigned: Vec::new(),
        };
        match extent {
            Extent::All if self.roots.is_empty() => look.descend("/", &[]),
            Extent::All => {
                for root in &self.roots {
                    look.descend(root, &[]);
                }
            }
            Extent::Part { trees, alone } => {
                let covered = |path: &str, above: usize| {
                    upwards(path).skip(above).any(|it| trees.contains(it))
                };
                let exists = |path: &&String| cgroups.directory(path).is_dir();
                let tops = trees.iter().filter(|path| !covered(path, 1));
                for path in tops.filter(exists) {
                    look.descend(path, &look.selecting_above(path));
                }
                let others = alone.iter().filter(|path| !covered(path, 0));
                for path in others.filter(exists) {
                    look.at(path, &look.selecting_above(path));
                }
            }
        }
        look.assigned
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

/// A look at cgroups, and what it has found.
struct Look<'a> {
    scope: &'a Scope,
    cgroups: &'a Cgroup2,
    policies: &'a [Policy],
    assigned: Vec<Assignment>,
}

/// What selects a cgroup.
struct Selected {
    /// Policies that select it or a cgroup above it, sorted.
    policies: Vec<PolicyName>,
    pod: Option<PodUid>,
    /// It is a pod's, nobody told of the pod, and nobody is waited for any more.
    given_up: bool,
    awaited: bool,
}

impl Look<'_> {
    fn descend(&mut self, path: &str, inherited: &[PolicyName]) {
        let selecting = self.at(path, inherited);
        for child in self.cgroups.children(path) {
            self.descend(&child, &selecting);
        }
    }

    /// Looks at one cgroup. What those below it inherit.
    fn at(&mut self, path: &str, inherited: &[PolicyName]) -> Vec<PolicyName> {
        let scope = self.scope;
        let Selected {
            policies,
            pod,
            given_up,
            awaited,
        } = self.selected(path, inherited);
        let managed = !scope.roots.is_empty();
        let is_root = scope.roots.iter().any(|root| root == path);
        if awaited || managed || !policies.is_empty() {
            let otherwise = if is_root {
                Some(scope.unknown)
            } else if !managed || awaited {
                None
            } else if given_up {
                Some(scope.unresolved)
            } else {
                Some(scope.stance(self.cgroups, self.policies, path, pod))
            };
            self.assigned.push(Assignment {
                path: path.to_owned(),
                attach: is_root || !managed && inherited.is_empty() && !awaited,
                otherwise,
                policies: policies.clone(),
                pod,
                awaited,
            });
        }
        policies
    }

    fn selected(&self, path: &str, inherited: &[PolicyName]) -> Selected {
        let pods = &self.scope.pods;
        let pod = pod(path);
        let info = pod.and_then(|pod| pods.get(pod));
        let matches = |selector: &Selector| match (selector, info) {
            (Selector::Pods(pods), Some(info)) => pods.matches(&info.namespace, &info.labels),
            _ => selector.matches_cgroup(path),
        };
        let selects = |policy: &&Policy| policy.selectors.iter().any(matches);
        let selecting = self.policies.iter().filter(selects);
        let mut policies = inherited.to_vec();
        policies.extend(selecting.map(|policy| policy.name.clone()));
        policies.sort_unstable();
        policies.dedup();
        let untold = pod.filter(|_| info.is_none() && self.policies.iter().any(selects_pods));
        let given_up = untold.is_some_and(|pod| pods.is_given_up(pod));
        let awaited = untold.is_some() && !given_up;
        if awaited {
            policies.clear();
        }
        Selected {
            policies,
            pod,
            given_up,
            awaited,
        }
    }

    /// What a cgroup inherits from those above it in scope.
    fn selecting_above(&self, path: &str) -> Vec<PolicyName> {
        let is_root = |path: &str| self.scope.roots.iter().any(|root| root == path);
        if is_root(path) {
            return Vec::new();
        }
        let mut above: Vec<&str> = Vec::new();
        for path in upwards(path).skip(1) {
            above.push(path);
            if is_root(path) {
                break;
            }
        }
        let inherit =
            |inherited: Vec<PolicyName>, path: &&str| self.selected(path, &inherited).policies;
        above.iter().rev().fold(Vec::new(), inherit)
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
