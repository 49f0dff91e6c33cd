//! What is said about isolation.

use serde::{Deserialize, Serialize};

use super::Author;

/// To isolate a workload.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IsolateRequest {
    /// Path of a cgroup; all below it is isolated with it.
    pub workload: String,
    /// For how long, in seconds.
    pub seconds: u64,
    /// Why, for those who read it later.
    pub reason: String,
    /// Networks that it may still go to, as far as its policies allow: `ADDR[/LENGTH][:PORT[/PROTO]]`.
    #[serde(default)]
    pub allow: Vec<String>,
}

/// To end an isolation before its time.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRequest {
    /// The cgroup that was isolated.
    pub workload: String,
}

/// An isolation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Isolation {
    /// Path of the cgroup below the cgroup2 mount.
    pub workload: String,
    /// When it ends, RFC 3339.
    pub until: String,
    /// When it ends, `CLOCK_BOOTTIME` nanoseconds of `boot`: what the kernel compares.
    pub until_boottime_ns: u64,
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot: String,
    /// Why.
    pub reason: String,
    /// See [`IsolateRequest::allow`].
    pub allow: Vec<String>,
    /// Who; not known when the record was lost.
    pub author: Option<Author>,
}
