//! Which policies select the workload that a flow starts at.

use crate::policy::{Origin, Policy, Selector};

/// The policies of a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Selected {
    /// By their index. Empty: none selects it.
    By(Vec<usize>),
    /// It cannot be told, and why.
    Unknown(&'static str),
}

pub(super) fn selected(policies: &[Policy], origin: &Origin) -> Selected {
    match origin {
        Origin::Exec => Selected::By(with(policies, |selector| *selector == Selector::Exec)),
        Origin::Cgroup(path) => Selected::By(of_cgroup(policies, path)),
        Origin::SystemdUnit(_) => Selected::Unknown("this version does not select systemd units"),
        Origin::Pod(_) => Selected::Unknown("this version does not select pods"),
    }
}

/// Those of the nearest selected cgroup, from `path` upwards: a tag holds for what is below it,
/// until another one does.
fn of_cgroup(policies: &[Policy], path: &str) -> Vec<usize> {
    let mut path = path.trim_end_matches('/');
    loop {
        let here = if path.is_empty() { "/" } else { path };
        let selecting = with(policies, |selector| selector.matches_cgroup(here));
        if !selecting.is_empty() || path.is_empty() {
            return selecting;
        }
        path = path.rsplit_once('/').map_or("", |(above, _)| above);
    }
}

fn with(policies: &[Policy], selects: impl Fn(&Selector) -> bool) -> Vec<usize> {
    let selecting = policies
        .iter()
        .enumerate()
        .filter(|(_, policy)| policy.selectors.iter().any(&selects));
    selecting.map(|(index, _)| index).collect()
}
