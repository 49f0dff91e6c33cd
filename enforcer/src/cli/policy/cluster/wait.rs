//! Waits until the nodes have said what became of documents.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use crate::cluster::{Cluster, ClusterError, NodeName, NodeState, NodeStatus, Stored};

/// How often the statuses are looked at.
const INTERVAL: Duration = Duration::from_millis(250);

/// A document and a node.
type Key = (String, String);

/// What the nodes said.
#[derive(Debug, Default)]
pub(super) struct Awaited {
    said: BTreeMap<Key, NodeStatus>,
    missing: BTreeSet<Key>,
}

impl Awaited {
    /// What the nodes said of a document.
    pub(super) fn of(&self, stored: &Stored) -> impl Iterator<Item = &NodeStatus> {
        let document = title(stored);
        let said = self.said.iter();
        said.filter_map(move |((of, _), status)| (*of == document).then_some(status))
    }

    /// Nodes that have not said anything of some document.
    pub(super) fn silent(&self) -> BTreeSet<&str> {
        self.missing.iter().map(|(_, node)| &**node).collect()
    }

    /// Success when every node said that it enforces every document.
    pub(super) fn exit_code(&self) -> ExitCode {
        let good = |status: &NodeStatus| match status.state {
            NodeState::Enforced | NodeState::Canary => true,
            NodeState::Rejected | NodeState::RolledBack => false,
        };
        if self.missing.is_empty() && self.said.values().all(good) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// Waits until every node has said what it makes of each document as it is stored, and tells of each
/// that has. Where some nodes try a document, only those count.
pub(super) fn wait(
    cluster: &Cluster,
    documents: &[&Stored],
    patience: Duration,
    quiet: bool,
) -> Result<Awaited, ClusterError> {
    let nodes = cluster.nodes(None)?;
    let mut awaited = Awaited::default();
    for stored in documents {
        let takes_part = |node: &&NodeName| {
            let canary = stored.canary.as_ref();
            canary.is_none_or(|canary| canary.chooses(node, &stored.name))
        };
        let keys = nodes.iter().filter(takes_part);
        awaited
            .missing
            .extend(keys.map(|node| (title(stored), node.to_string())));
    }
    let until = Instant::now() + patience;
    loop {
        for stored in documents {
            let (_, said) = cluster.state(stored.kind, &stored.name)?;
            for status in said {
                let key = (title(stored), status.node.clone());
                if status.observed_generation >= stored.generation && awaited.missing.remove(&key) {
                    if !quiet {
                        println!("{}", line(&key, &status));
                    }
                    awaited.said.insert(key, status);
                }
            }
        }
        if awaited.missing.is_empty() {
            return Ok(awaited);
        }
        if Instant::now() >= until {
            for node in awaited.silent() {
                eprintln!(
                    "enforcer: {node} has not answered: does `enforcer run --cluster` run there?"
                );
            }
            return Ok(awaited);
        }
        thread::sleep(INTERVAL);
    }
}

fn title(stored: &Stored) -> String {
    format!("{}/{}", stored.kind.name(), stored.name)
}

fn line((document, node): &Key, status: &NodeStatus) -> String {
    let generation = status.observed_generation;
    let said = match status.state {
        NodeState::Enforced => {
            format!("enforces generation {generation} in image {}", status.image)
        }
        NodeState::Canary => format!("tries generation {generation} in image {}", status.image),
        NodeState::Rejected => "refuses it".to_owned(),
        NodeState::RolledBack => "tried it and went back".to_owned(),
    };
    let why = status.message.as_deref().map(|it| format!(": {it}"));
    format!("{node:<24} {document} {said}{}", why.unwrap_or_default())
}
