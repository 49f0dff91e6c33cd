use std::sync::Arc;

use super::Severity;

/// Something that happened to the daemon. What goes wrong is an event like every other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DaemonEvent {
    /// Enforcement begins on a host where none was.
    Started {
        /// Number of the image in force.
        generation: u64,
    },
    /// A daemon took over enforcement that had gone on without one.
    Adopted {
        /// Number of the image in force.
        generation: u64,
    },
    /// A workload was cut off, or is no longer.
    Isolation(IsolationEvent),
    /// Enforcement was ended on request.
    Detached,
    /// The daemon stops; enforcement goes on.
    Stopped,
    /// New policies are in force.
    PoliciesLoaded {
        /// Number of the new image.
        generation: u64,
        /// How many policies it has.
        policies: u32,
    },
    /// New policies were refused; the old ones stay in force.
    PoliciesRejected {
        /// Number of the image that stays.
        generation: u64,
        /// One message each, with file, line, field and fix.
        diagnostics: Vec<String>,
    },
    /// An agreement that a policy requires ended, and the provider is denied from now on.
    AgreementEnded {
        /// The provider.
        provider: Arc<str>,
        /// The policy.
        policy: Arc<str>,
        /// Where the agreement is filed.
        reference: Option<Arc<str>>,
        /// Number of the image that denies it.
        generation: u64,
    },
    /// A geo database is older than it should be.
    DatabaseOld {
        /// Its name.
        database: Arc<str>,
        /// Days since it was built.
        age_days: u32,
        /// From how many days on this is said.
        limit_days: u32,
    },
    /// Decisions failed, and the flows of tagged workloads were refused.
    Faults {
        /// Label of the fault in metrics.
        fault: &'static str,
        /// How many since the last record of it.
        count: u64,
    },
    /// Events were lost.
    EventsLost {
        /// Label of the cause in metrics.
        cause: &'static str,
        /// How many since the last record of it.
        count: u64,
    },
    /// The daemon lives, and this is what it has counted.
    Heartbeat(Heartbeat),
    /// A sink does not take records; they wait.
    SinkFailing {
        /// Its name.
        sink: String,
        /// Why.
        error: String,
    },
    /// A sink takes records again.
    SinkRecovered {
        /// Its name.
        sink: String,
    },
    /// Of a workload, not all that it sends is judged.
    CoverageLost {
        /// Its name.
        workload: Arc<str>,
        /// What passes, and what to do about it.
        reason: String,
    },
    /// All that a workload sends is judged again.
    CoverageRestored {
        /// Its name.
        workload: Arc<str>,
    },
    /// Who tells of workloads does not answer; what was told stays.
    SourceFailing {
        /// Its name.
        source: String,
        /// Why.
        error: String,
    },
    /// It answers again.
    SourceRecovered {
        /// Its name.
        source: String,
    },
    /// Nobody told of a pod in time.
    PodUnresolved {
        /// Its `metadata.uid`.
        pod: String,
        /// Path of its cgroup.
        cgroup: Arc<str>,
        /// How long it was waited for, in seconds.
        waited_seconds: u64,
        /// How it stands from now on: `hold`, `deny` or `allow`.
        stance: &'static str,
    },
}

/// What the daemon has counted since it started. A consumer that compares two of them with the
/// numbers it got between knows what is missing, and where it went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heartbeat {
    /// Number of the image in force.
    pub generation: u64,
    /// Tagged workloads.
    pub workloads: u64,
    /// Events that never reached the daemon, by cause.
    pub lost: Vec<(&'static str, u64)>,
    /// Decisions that failed, by fault.
    pub faults: Vec<(&'static str, u64)>,
    /// Each sink.
    pub sinks: Vec<SinkTally>,
}

/// What a sink has taken since the daemon started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkTally {
    /// Its name.
    pub sink: String,
    /// Records that it took.
    pub delivered: u64,
    /// Records that wait for it.
    pub waiting: u64,
    /// Records that it never got.
    pub lost: u64,
}

/// What happened to an isolation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsolationEvent {
    /// What.
    pub step: IsolationStep,
    /// Path of the cgroup.
    pub workload: Arc<str>,
    /// Why it was isolated, in the words of who did.
    pub reason: Arc<str>,
    /// Who asked for this step; `None` when time did.
    pub by: Option<Arc<str>>,
    /// When it ends, or would have, RFC 3339.
    pub until: Arc<str>,
}

/// See [`IsolationEvent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsolationStep {
    /// It began, or was changed.
    Begun,
    /// It was ended before its time.
    Released,
    /// Its time is over.
    Expired,
}

impl IsolationStep {
    /// The name in events.
    #[must_use]
    pub fn action(self) -> &'static str {
        match self {
            Self::Begun => "workload-isolated",
            Self::Released => "workload-released",
            Self::Expired => "isolation-expired",
        }
    }
}

impl DaemonEvent {
    /// How much attention it deserves.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::Started { .. }
            | Self::Adopted { .. }
            | Self::PoliciesLoaded { .. }
            | Self::Heartbeat(_)
            | Self::SinkRecovered { .. }
            | Self::CoverageRestored { .. }
            | Self::SourceRecovered { .. } => Severity::Informational,
            Self::Stopped => Severity::Low,
            Self::DatabaseOld { .. }
            | Self::EventsLost { .. }
            | Self::AgreementEnded { .. }
            | Self::SinkFailing { .. }
            | Self::SourceFailing { .. }
            | Self::PodUnresolved { .. } => Severity::Medium,
            Self::Isolation(event) => match event.step {
                IsolationStep::Begun => Severity::High,
                IsolationStep::Released | IsolationStep::Expired => Severity::Medium,
            },
            Self::Detached
            | Self::PoliciesRejected { .. }
            | Self::Faults { .. }
            | Self::CoverageLost { .. } => Severity::High,
        }
    }

    /// What it counts, and how many.
    #[must_use]
    pub fn counted(&self) -> Option<(&'static str, u64)> {
        match self {
            Self::Faults { fault, count } => Some((fault, *count)),
            Self::EventsLost { cause, count } => Some((cause, *count)),
            Self::Started { .. }
            | Self::Adopted { .. }
            | Self::Detached
            | Self::Stopped
            | Self::PoliciesLoaded { .. }
            | Self::PoliciesRejected { .. }
            | Self::AgreementEnded { .. }
            | Self::DatabaseOld { .. }
            | Self::Isolation(_)
            | Self::Heartbeat(_)
            | Self::SinkFailing { .. }
            | Self::SinkRecovered { .. }
            | Self::CoverageLost { .. }
            | Self::CoverageRestored { .. }
            | Self::SourceFailing { .. }
            | Self::SourceRecovered { .. }
            | Self::PodUnresolved { .. } => None,
        }
    }
}
