//! Records: what happened, in types, before any consumer's vocabulary.

use std::{borrow::Cow, fmt, net::IpAddr, sync::Arc};

use enforcer_common::{
    abi::{Addr, ClassId, Hook, Port, Proto},
    verdict::{Reason, Verdict},
};
use jiff::Timestamp;

use super::context::{Mode, NamesInfo, PlaceInfo, RuleInfo, WorkloadInfo};

mod daemon;
mod finding;

pub use daemon::{DaemonEvent, Heartbeat, IsolationEvent, IsolationStep, SinkTally};
pub use finding::Finding;

/// One line of the stream, before it has a number.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A refused, held or would-be refused flow.
    Violation(Violation),
    /// A workload that is refused again and again.
    Finding(Finding),
    /// Something that happened to the daemon itself, and when.
    Daemon(Timestamp, DaemonEvent),
}

/// Refusals of one flow: the first one, or those counted since the last record of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// What all records of the flow have in common.
    pub facts: Arc<Facts>,
    /// How many packets and calls this record stands for. Counts of a flow's records add up.
    ///
    /// 0 when they were already counted and the details of the first came late.
    pub count: u64,
    /// Payload bytes of them; 0 where only socket hooks saw them.
    pub bytes: u64,
    /// Not after the first of them.
    pub start: Timestamp,
    /// The last of them.
    pub end: Timestamp,
}

/// What is known of a refused flow.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// What happened to it.
    pub outcome: Outcome,
    /// Why. `None`: the event that said so was lost, or is of a newer version.
    pub reason: Option<Reason>,
    /// Who refused it. `None` as above.
    pub hook: Option<Hook>,
    /// Number of the image that decided.
    pub generation: u64,
    /// Class of the workload. `None` when the event was lost.
    pub class: Option<ClassId>,
    /// Mode of the deciding policy.
    pub mode: Option<Mode>,
    /// Where it went.
    pub destination: Destination,
    /// Where it came from, in the workload's own network namespace.
    pub source: Option<Source>,
    /// Who sent it. `None` where the hook has no process.
    pub process: Option<Process>,
    /// Path of the cgroup below the cgroup2 mount.
    pub cgroup: Option<Arc<str>>,
    /// Container and pod, as the cgroup path tells.
    pub placement: Arc<Placement>,
    /// The workload.
    pub workload: Option<Arc<WorkloadInfo>>,
    /// The rule that decided.
    pub rule: Option<Arc<RuleInfo>>,
}

/// What happened to a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was refused.
    Denied,
    /// It passed, and a policy in audit mode would have refused it.
    WouldDeny,
    /// It was made to wait, because its workload is not known yet.
    Held,
    /// It passed.
    Allowed,
    /// The kernel programs said something that this version does not know.
    Unknown,
}

impl Outcome {
    /// From the verdict byte of a flow.
    #[must_use]
    pub fn from_byte(byte: u8) -> Self {
        const WOULD_DENY: u8 = 0x80;
        match (Verdict::from_byte(byte), byte & WOULD_DENY != 0) {
            (Some(Verdict::Deny), _) => Self::Denied,
            (Some(Verdict::Hold), _) => Self::Held,
            (Some(Verdict::Allow), true) => Self::WouldDeny,
            (Some(Verdict::Allow), false) => Self::Allowed,
            (None, _) => Self::Unknown,
        }
    }

    /// The name in events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "deny",
            Self::WouldDeny => "would_deny",
            Self::Held => "hold",
            Self::Allowed => "allow",
            Self::Unknown => "unknown",
        }
    }
}

/// How much attention a record deserves. A refused flow is a measure that worked, not a breach
/// (GDPR Art. 4(12)), so none of them is critical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing to do.
    Informational,
    /// Look when there is time.
    Low,
    /// A policy was not kept.
    Medium,
    /// Enforcement itself, an isolated workload, or one that is refused again and again.
    High,
}

impl Severity {
    /// From the least on.
    pub const ALL: [Self; 4] = [Self::Informational, Self::Low, Self::Medium, Self::High];

    /// The name in options and counters.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl Record {
    /// How much attention it deserves.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::Violation(violation) => violation.facts.severity(),
            Self::Finding(_) => Severity::High,
            Self::Daemon(_, event) => event.severity(),
        }
    }

    /// What it says of a flow, if it is about one.
    #[must_use]
    pub fn facts(&self) -> Option<&Facts> {
        match self {
            Self::Violation(violation) => Some(&violation.facts),
            Self::Finding(finding) => Some(&finding.facts),
            Self::Daemon(..) => None,
        }
    }

    /// When it happened.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Violation(violation) => violation.end,
            Self::Finding(finding) => finding.end,
            Self::Daemon(at, _) => *at,
        }
    }
}

impl Facts {
    /// How much attention it deserves.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match (self.outcome, self.reason) {
            (_, Some(Reason::Fault(_) | Reason::Isolated)) => Severity::High,
            (Outcome::Denied | Outcome::WouldDeny | Outcome::Unknown, _) => Severity::Medium,
            (Outcome::Held, _) => Severity::Low,
            (Outcome::Allowed, _) => Severity::Informational,
        }
    }
}

/// Where a flow went.
#[derive(Clone, Debug, PartialEq)]
pub struct Destination {
    /// As the application or the packet gave it.
    pub addr: Addr,
    /// The IPv4 address inside `addr` that was judged in its place or along with it.
    pub judged: Option<Addr>,
    /// `None` where the protocol has none or it is unknown.
    pub port: Option<Port>,
    /// IP protocol.
    pub proto: Proto,
    /// Under which names the workload knows it.
    pub names: NamesInfo,
    /// Where the judged address is.
    pub place: PlaceInfo,
}

/// Where a flow came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// `None` where the hook does not know it.
    pub addr: Option<Addr>,
    /// `None` where the hook does not know it.
    pub port: Option<Port>,
}

/// An address as people write it: v4-mapped addresses as IPv4.
#[must_use]
pub fn ip(addr: Addr) -> IpAddr {
    std::net::Ipv6Addr::from(addr.octets()).to_canonical()
}

/// The process of a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Process (thread group) id in the initial pid namespace.
    pub pid: u32,
    /// User id in the initial user namespace.
    pub uid: u32,
    /// Name of the thread.
    pub name: CommandName,
    /// What it runs. `None` when the process was gone, or runs something else by now.
    pub image: Option<Arc<ProcessImage>>,
}

/// What a process runs, from `/proc`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessImage {
    /// Path of the executable, in the process's own mount namespace.
    pub executable: Option<String>,
    /// Arguments, with secrets redacted, joined by blanks.
    pub command_line: Option<String>,
    /// The process that it is a child of.
    pub parent: Option<Parent>,
    /// Path of the cgroup below the cgroup2 mount.
    pub cgroup: Option<Arc<str>>,
}

/// The parent of a process, at the moment its child was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// Name of its main thread.
    pub name: Option<CommandName>,
    /// Path of the executable, in the parent's own mount namespace.
    pub executable: Option<String>,
}

/// Name of a thread as the kernel keeps it (`comm`): 15 bytes of anything but NUL.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CommandName([u8; 16]);

impl CommandName {
    /// From the NUL-padded bytes of an event.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes before the first NUL.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        let end = self
            .0
            .iter()
            .position(|&byte| byte == 0)
            .unwrap_or(self.0.len());
        self.0.get(..end).unwrap_or_default()
    }

    /// As text; bytes that are not UTF-8 become U+FFFD.
    #[must_use]
    pub fn to_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.as_bytes())
    }
}

impl fmt::Debug for CommandName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_text(), f)
    }
}

/// What a cgroup path says of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// The innermost container.
    pub container: Option<Container>,
    /// `metadata.uid` of the innermost pod. Static pods have 32 hex digits without dashes.
    pub pod_uid: Option<String>,
}

/// A container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Id that the runtime gave it.
    pub id: String,
    /// The runtime, where the path names it.
    pub runtime: Option<&'static str>,
}

/// Who reports: constant over a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observer {
    /// Name of the host, as `uname -n`.
    pub host: String,
    /// Version of the product.
    pub version: &'static str,
    /// Tells one run from the next.
    pub run: String,
    /// The stream of numbers that its records have: gaps can be told within one.
    pub stream: String,
}

impl Observer {
    /// This host and a run that starts now.
    #[must_use]
    pub fn this_host() -> Self {
        let uname = rustix::system::uname();
        let run = format!(
            "{:x}-{:x}",
            Timestamp::now().as_nanosecond(),
            std::process::id()
        );
        Self {
            host: uname.nodename().to_string_lossy().into_owned(),
            version: env!("CARGO_PKG_VERSION"),
            stream: run.clone(),
            run,
        }
    }
}
