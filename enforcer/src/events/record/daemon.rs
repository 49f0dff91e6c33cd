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
}

impl DaemonEvent {
    /// How much attention it deserves.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::Started { .. } | Self::Adopted { .. } | Self::PoliciesLoaded { .. } => {
                Severity::Informational
            }
            Self::Stopped => Severity::Low,
            Self::DatabaseOld { .. } | Self::EventsLost { .. } | Self::AgreementEnded { .. } => {
                Severity::Medium
            }
            Self::Detached | Self::PoliciesRejected { .. } | Self::Faults { .. } => Severity::High,
        }
    }
}
