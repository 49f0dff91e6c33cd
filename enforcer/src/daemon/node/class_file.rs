//! The file that keeps the numbers of classes from daemon to daemon.

use std::{fs, path::Path};

use anyhow::Context as _;

use crate::{daemon::state_file, policy::PolicyName, workloads::Classes};

/// Classes as the last daemon numbered them. Numbers that are in force and of which nothing is known
/// are set aside, so that no tag changes its meaning.
pub(super) fn restore(state: &Path, in_force: u32) -> Classes {
    let text = fs::read_to_string(state.join(CLASSES)).unwrap_or_default();
    let mut sets: Vec<Vec<PolicyName>> = serde_json::from_str::<Vec<Vec<String>>>(&text)
        .unwrap_or_default()
        .into_iter()
        .map(|set| {
            set.into_iter()
                .map(|name| PolicyName(name.into()))
                .collect()
        })
        .collect();
    for number in sets.len()..in_force as usize {
        // No policy can have this name, so the class permits nothing.
        sets.push(vec![PolicyName(format!("(class {number})").into())]);
    }
    Classes::restore(sets)
}

pub(super) fn store(state: &Path, classes: &Classes) -> anyhow::Result<()> {
    let names: Vec<Vec<&str>> = classes
        .sets()
        .iter()
        .map(|set| set.iter().map(|name| &*name.0).collect())
        .collect();
    let path = state.join(CLASSES);
    let written = state_file::write(&path, &serde_json::to_vec(&names)?);
    written.with_context(|| format!("write {}", path.display()))
}

const CLASSES: &str = "classes.json";
