//! What this node makes of each document.

use serde::{Deserialize, Serialize};

use crate::policy::{DocumentName, crd::ResourceKind};

/// What a node does with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeState {
    /// Its `spec` is part of the image in force.
    Enforced,
    /// What `canary` tries is part of the image in force.
    Canary,
    /// It is broken, and what was in force before stays.
    Rejected,
    /// The canary denied more than it may, and `spec` is in force again.
    RolledBack,
}

/// What this node makes of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What it is.
    pub kind: ResourceKind,
    /// Its name.
    pub name: DocumentName,
    /// `metadata.generation` that this is about.
    pub generation: i64,
    /// What is done with it.
    pub state: NodeState,
    /// Number of the image in force.
    pub image: u64,
    /// Why it is not in force.
    pub message: Option<String>,
}

impl Report {
    /// Whether it says the same. The number of the image goes up for other reasons too, and is not
    /// worth a request.
    #[cfg(feature = "cluster")]
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        (self.generation, self.state, &self.message)
            == (other.generation, other.state, &other.message)
    }
}

/// What a node says of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeStatus {
    /// The node.
    pub node: String,
    /// What it does with the document.
    pub state: NodeState,
    /// `metadata.generation` that this is about.
    #[serde(default)]
    pub observed_generation: i64,
    /// Number of the node's image since then.
    #[serde(default)]
    pub image: u64,
    /// Why the document is not in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
