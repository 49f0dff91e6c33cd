//! What is said. Fields are only ever added.

use serde::{Deserialize, Serialize};

/// The state of an instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// `running`, or `stopped`: enforcement goes on without it.
    pub daemon: String,
    /// Name of the instance.
    pub instance: String,
    /// Whether anything is enforced.
    pub enforcing: bool,
    /// Number of the image in force.
    pub generation: Option<u64>,
    /// The daemon took over what another one had made.
    pub adopted: bool,
    /// What was wrong with the last change that was refused.
    pub last_error: Option<String>,
    /// Loaded policies.
    pub policies: Vec<PolicyStatus>,
    /// Databases in use.
    pub databases: Vec<DatabaseStatus>,
    /// Tagged cgroups.
    pub workloads: Vec<Workload>,
    /// Cgroups that the hooks are attached to.
    pub cgroups: Vec<Attached>,
    /// Kernel memory of all tables in bytes.
    pub memory_bytes: u64,
    /// Each table.
    pub maps: Vec<MapStatus>,
    /// What the kernel programs counted.
    pub counters: Vec<Labelled>,
    /// Faults of the kernel programs by reason.
    pub faults: Vec<Labelled>,
    /// Events that did not reach the daemon by cause.
    pub lost: Vec<Labelled>,
    /// Decisions by rule.
    pub decisions: Vec<DecisionStatus>,
    /// How each sink does.
    pub sinks: Vec<SinkHealth>,
}

/// A loaded policy.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PolicyStatus {
    /// Its name.
    pub name: String,
    /// `enforce` or `audit`.
    pub mode: String,
    /// Where it stands.
    pub source: String,
}

/// A database in use.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DatabaseStatus {
    /// Its name.
    pub name: String,
    /// Days since it was built.
    pub age_days: u64,
}

/// A tagged cgroup.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Workload {
    /// Path below the cgroup2 mount; the id in decimals when the path is not known.
    pub cgroup: String,
    /// Its id.
    pub id: u64,
    /// How it stands.
    pub coverage: Coverage,
    /// Its class, if policies apply.
    pub class: Option<u16>,
    /// The policies that apply.
    pub policies: Vec<String>,
}

/// How a cgroup stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Coverage {
    /// Policies apply.
    Covered,
    /// No policy selects it.
    Unselected,
    /// A managed root: what is below it and unknown waits, is denied or allowed.
    RootHold,
    /// See [`Coverage::RootHold`].
    RootDeny,
    /// See [`Coverage::RootHold`].
    RootAllow,
    /// The tag cannot be read: its flows are refused.
    Damaged,
}

/// A cgroup with hooks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Attached {
    /// Path below the cgroup2 mount; the id in decimals when the path is not known.
    pub cgroup: String,
    /// Its id.
    pub id: u64,
    /// Attached hooks.
    pub hooks: Vec<String>,
}

/// A table of the kernel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MapStatus {
    /// Its name.
    pub name: String,
    /// Its memory.
    pub bytes: u64,
    /// Entries it can hold.
    pub capacity: u32,
}

/// A number with a name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Labelled {
    /// The name.
    pub name: String,
    /// The number.
    pub count: u64,
}

/// What a rule decided.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DecisionStatus {
    /// The policy; `unknown` for a rule of an earlier image.
    pub policy: String,
    /// The rule.
    pub rule: String,
    /// Flows let through.
    pub allowed: u64,
    /// Flows refused.
    pub denied: u64,
    /// Flows let through in audit mode.
    pub would_deny: u64,
}

/// How a sink does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SinkHealth {
    /// Its name.
    pub name: String,
    /// Records taken.
    pub delivered: u64,
    /// Records that wait.
    pub waiting: u64,
    /// Records lost.
    pub lost: u64,
}

/// Outcome of a reload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reloaded {
    /// Number of the image in force now.
    pub generation: u64,
    /// Why the change was refused; the old image stays in force.
    pub error: Option<String>,
}
