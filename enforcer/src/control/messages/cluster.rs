//! What is said about a cluster.

use serde::{Deserialize, Serialize};

/// The cluster that a daemon follows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClusterStatus {
    /// Name of this node there.
    pub node: String,
    /// Whether its API answers.
    pub reachable: bool,
    /// Since when it does not, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down_since: Option<String>,
    /// The first request that it did not answer, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How often it stopped answering, since the daemon started.
    pub outages: u64,
    /// Its documents that are in force here.
    pub documents: u64,
    /// What is wrong with those that are not.
    #[serde(default)]
    pub refused: Vec<String>,
}
