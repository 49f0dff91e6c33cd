//! What a cluster stores, as far as this program looks at it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{
    policy::{
        DocumentName,
        crd::{self, Object, ResourceKind},
    },
    workloads::{PodInfo, layout::PodUid},
};

/// `metadata.name` of a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(pub Arc<str>);

impl std::fmt::Display for NodeName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A time without an API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// When the first request failed.
    pub since: Timestamp,
    /// What it failed of.
    pub error: String,
}

/// The latest state of the cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// Documents of each kind that was listed.
    pub(super) kinds: BTreeMap<ResourceKind, Arc<Vec<Stored>>>,
    /// Kinds that the server does not give: they are not defined there, or not for this node to see.
    pub(super) withheld: BTreeSet<ResourceKind>,
    /// The pods of this node; `None` until they were listed.
    pub pods: Option<Arc<Vec<(PodUid, PodInfo)>>>,
    /// Whether the server does not answer.
    pub is_down: bool,
    /// The last time without it.
    pub outage: Option<Outage>,
    /// How many there were since the client started.
    pub outages: u64,
}

impl Seen {
    /// Every document of the kinds that were listed, or `None` until that is every kind but those
    /// [withheld](Self::withholds).
    #[must_use]
    pub fn documents(&self) -> Option<Vec<Stored>> {
        let is_known = |kind| self.kinds.contains_key(kind) || self.withheld.contains(kind);
        ResourceKind::ALL.iter().all(is_known).then(|| {
            let listed = self.kinds.values();
            listed.flat_map(|it| it.iter().cloned()).collect()
        })
    }

    /// Whether the server does not give documents of a kind, and never did. What they say now is not
    /// known: it is not nothing.
    #[must_use]
    pub fn withholds(&self, kind: ResourceKind) -> bool {
        self.withheld.contains(&kind) && !self.kinds.contains_key(&kind)
    }

    /// Whether other documents are known than before.
    #[must_use]
    pub fn has_other_documents(&self, before: &Self) -> bool {
        self.kinds != before.kinds || self.withheld != before.withheld
    }
}

/// A document of the cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// What it is.
    pub kind: ResourceKind,
    /// What it is called.
    pub name: DocumentName,
    /// `metadata.generation`.
    pub generation: i64,
    /// `spec`, unless it is a canary alone.
    pub spec: Option<Value>,
    /// `canary`.
    pub canary: Option<Canary>,
    /// Nodes that took the canary of this generation back, with why. Then no node goes on with it.
    pub taken_back: BTreeMap<String, String>,
}

/// A spec that some of the nodes try.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Canary {
    /// `10%`: how many of the nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<String>,
    /// Nodes that try it, whatever the share.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<String>,
    /// How many denials of flows that `spec` of the document allows end it, on each node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// What is tried.
    pub spec: Value,
}

impl Stored {
    /// The canary, where a node is to try it.
    #[must_use]
    pub fn trying(&self, node: &NodeName) -> Option<&Canary> {
        let canary = self.canary.as_ref().filter(|_| self.taken_back.is_empty());
        canary.filter(|canary| canary.chooses(node, &self.name))
    }

    /// The document without its canary.
    #[must_use]
    pub fn plain(&self) -> Option<Object> {
        Some(Object {
            kind: self.kind,
            name: self.name.clone(),
            spec: self.spec.clone()?,
        })
    }

    /// Where it stands, as [`crd::path`] has it.
    #[must_use]
    pub fn path(&self) -> String {
        crd::path(self.kind, &self.name)
    }
}

impl Canary {
    /// Whether a node tries it: it is named, or a hash of its name and the document's is within the
    /// share. A larger share has the nodes of a smaller one.
    #[must_use]
    pub fn chooses(&self, node: &NodeName, document: &DocumentName) -> bool {
        if self.nodes.iter().any(|name| **name == *node.0) {
            return true;
        }
        let share = self.share.as_deref().and_then(|it| it.strip_suffix('%'));
        let Some(share) = share.and_then(|it| it.parse::<u64>().ok()) else {
            return false;
        };
        let digest = Sha256::new()
            .chain_update(node.0.as_bytes())
            .chain_update([0])
            .chain_update(document.as_str())
            .finalize();
        let mut number = [0; 8];
        number.copy_from_slice(&digest[..8]);
        u64::from_be_bytes(number) % 10_000 < share * 100
    }
}
