//! Cgroups to policies.

use enforcer_common::abi::Stance;

use super::cgroup2::{Cgroup2, CgroupPath};
use crate::policy::{Policy, PolicyName};

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
}

/// Where to look for workloads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Managed roots, as paths below the mount. Without any, the hooks go to each selected cgroup
    /// and nothing is unknown.
    pub roots: Vec<CgroupPath>,
    /// How what is below a managed root and not yet known stands.
    pub unknown: Stance,
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
        let selects = |policy: &&Policy| {
            policy
                .selectors
                .iter()
                .any(|selector| selector.matches_cgroup(path))
        };
        selecting.extend(
            policies
                .iter()
                .filter(selects)
                .map(|policy| policy.name.clone()),
        );
        selecting.sort_unstable();
        selecting.dedup();
        let managed = !self.roots.is_empty();
        if managed || !selecting.is_empty() {
            assigned.push(Assignment {
                path: path.to_owned(),
                attach: !managed && inherited.is_empty(),
                otherwise: managed.then_some(Stance::Release),
                policies: selecting.clone(),
            });
        }
        for child in cgroups.children(path) {
            self.descend(cgroups, policies, &child, &selecting, assigned);
        }
    }
}
