//! What is said. Fields are only ever added.

mod cluster;
mod flows;
mod isolation;
mod policies;

use std::path::PathBuf;

pub use cluster::ClusterStatus;
pub use flows::{FlowList, FlowRecord};
use serde::{Deserialize, Serialize};

pub use isolation::{IsolateRequest, Isolation, ReleaseRequest};
pub use policies::{
    Author, Change, DocumentChange, Effect, PolicyEntry, PolicyFile, PolicyText, PushRequest,
    Pushed, Revision, RollbackRequest, Side,
};

/// The state of an instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// `running`, or `stopped`: enforcement goes on without it.
    pub daemon: String,
    /// Name of the instance.
    pub instance: String,
    /// Whether anything is enforced: an image is in force, and every hook holds on a cgroup that is
    /// there.
    pub enforcing: bool,
    /// Number of the image in force.
    pub generation: Option<u64>,
    /// The daemon took over what another one had made.
    pub adopted: bool,
    /// What was wrong with the last change that was refused.
    pub last_error: Option<String>,
    /// Revision of the pushed policies in force.
    #[serde(default)]
    pub revision: Option<u64>,
    /// The cluster that the daemon follows, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterStatus>,
    /// Isolated workloads.
    #[serde(default)]
    pub isolations: Vec<Isolation>,
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
    /// How full the tables are that fill with use, and what the image in force takes of its limits.
    #[serde(default)]
    pub tables: Vec<TableStatus>,
    /// Seconds from the start of the last change of policies or databases until it was in force.
    #[serde(default)]
    pub apply_seconds: Option<f64>,
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
    /// When it was built, seconds since 1970.
    #[serde(default)]
    pub built: i64,
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
    /// `CLOCK_BOOTTIME` nanoseconds until which it is isolated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolated_until_ns: Option<u64>,
    /// How its interfaces are covered; absent while no process of it is known, and where no policy
    /// applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceCoverage>,
}

/// Whether all that a workload sends is judged where it enters the host, packet sockets and forwarded
/// packets included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceCoverage {
    /// Every network namespace of its processes is behind a judged interface.
    pub covered: bool,
    /// The host's ends of its interfaces that are judged.
    pub interfaces: Vec<String>,
    /// What is not covered, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
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

impl Coverage {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Covered,
        Self::Unselected,
        Self::RootHold,
        Self::RootDeny,
        Self::RootAllow,
        Self::Damaged,
    ];

    /// As in JSON and in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Covered => "covered",
            Self::Unselected => "unselected",
            Self::RootHold => "root-hold",
            Self::RootDeny => "root-deny",
            Self::RootAllow => "root-allow",
            Self::Damaged => "damaged",
        }
    }
}

/// A cgroup with hooks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Attached {
    /// Path below the cgroup2 mount; the id in decimals when the path is not known.
    pub cgroup: String,
    /// Its id.
    pub id: u64,
    /// Hooks that hold. Fewer than there are: somebody detached one, or the cgroup is gone.
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

/// How full a table is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TableStatus {
    /// Its name.
    pub name: String,
    /// Entries it has.
    pub entries: u64,
    /// Entries it can hold.
    pub capacity: u64,
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
    /// `enforce` or `audit`; `unknown` for a rule of an earlier image.
    #[serde(default)]
    pub mode: String,
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
    /// `fine`, or `failing`: records wait.
    #[serde(default)]
    pub state: String,
    /// Why it fails, or what it refused last.
    #[serde(default)]
    pub error: Option<String>,
    /// Records taken.
    pub delivered: u64,
    /// Records that wait.
    pub waiting: u64,
    /// Their bytes, in memory or on disk.
    #[serde(default)]
    pub waiting_bytes: u64,
    /// Records lost.
    pub lost: u64,
    /// Of these, those that the receiver will never take.
    #[serde(default)]
    pub refused: u64,
    /// Of these, those whose copy on disk was damaged.
    #[serde(default)]
    pub damaged: u64,
    /// Attempts that failed, by cause.
    #[serde(default)]
    pub failures: Vec<Labelled>,
}

/// Outcome of a reload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reloaded {
    /// Number of the image in force now.
    pub generation: u64,
    /// Why the change was refused; the old image stays in force.
    pub error: Option<String>,
}

/// Enforcement has ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Detached {
    /// The instance.
    pub instance: String,
}

/// What `explain` asks of a daemon.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainRequest {
    /// Path of a cgroup below the cgroup2 mount.
    pub workload: String,
    /// Destinations, each `ADDR:PORT/PROTO`, or `ADDR/PROTO` for protocols without ports. The daemon
    /// looks up no names.
    pub to: Vec<String>,
}

/// One decision with all that led to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The destination, as in [`ExplainRequest::to`].
    pub to: String,
    /// The tagged cgroup that the decision is for; absent where policies were given instead, and
    /// where neither the cgroup nor one above it is tagged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// `allow`, `deny` or `hold`.
    pub verdict: String,
    /// Allowed only because the policy audits.
    pub would_deny: bool,
    /// Why.
    pub reason: String,
    /// The policy that decided.
    pub policy: Option<String>,
    /// `default` for the policy's default.
    pub rule: Option<String>,
    /// `allow` or `deny`.
    pub action: Option<String>,
    /// `enforce` or `audit`.
    pub mode: Option<String>,
    /// The provider that is denied because the policy requires an agreement and none is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_agreement: Option<String>,
    /// Where the rule stands.
    pub file: Option<PathBuf>,
    /// See [`Explanation::file`]; the first line is 1.
    pub line: Option<u32>,
    /// See [`Explanation::file`]; the first column is 1.
    pub column: Option<u32>,
    /// ISO 3166-1 code. `ZZ`: no database knows it. Absent for special-purpose ranges.
    pub country: Option<String>,
    /// Autonomous system.
    pub asn: Option<u32>,
    /// Its name.
    pub as_name: Option<String>,
    /// Announced from several places.
    pub anycast: bool,
    /// Special-purpose range.
    pub range: Option<String>,
    /// The address that was judged, where it is inside another.
    pub judged: Option<String>,
    /// The database that named the country.
    pub database: String,
    /// What each database says.
    pub databases: Vec<DatabaseAnswer>,
    /// All databases that know a country name the same.
    pub countries_agree: bool,
}

/// What a database says of an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseAnswer {
    /// Its name.
    pub name: String,
    /// When it was built, RFC 3339; `unknown` beyond the year 9999.
    pub built: String,
    /// ISO 3166-1 code.
    pub country: Option<String>,
    /// Autonomous system.
    pub asn: Option<u32>,
    /// Announced from several places.
    pub anycast: bool,
}

/// Why the daemon could not do what it was asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Problem {
    /// What is wrong and what to do.
    pub error: String,
    /// What is wrong with policies, one object each, as `policy check --format json` writes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<serde_json::Value>,
}

impl Problem {
    /// One that is not about policies.
    #[must_use]
    pub fn new(error: impl Into<String>) -> Self {
        Self {
            error: error.into(),
            findings: Vec::new(),
        }
    }
}
