//! What the rest of the daemon knows and events ask for.

use std::{
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use enforcer_common::abi::{Addr, CgroupId, Nat64Prefix, RuleId};
use jiff::Timestamp;

use crate::geo::{Asn, CountryCode, SpecialRange};

/// Answers about numbers in kernel events. Called for each first refusal: answer from memory.
///
/// Every method may know nothing; the record then says less, and is not delayed.
pub trait Context {
    /// The rule that `rule` was in the image numbered `generation`. Ids are reused by later images.
    fn rule(&self, rule: RuleId, generation: u64) -> Option<Arc<RuleInfo>>;

    /// The workload of a cgroup that has a tag.
    fn workload(&self, cgroup: CgroupId) -> Option<Arc<WorkloadInfo>>;

    /// The workload of the nearest tagged cgroup from this path upwards, below the cgroup2 mount. Asked
    /// for cgroups that [`Context::workload`] does not know: a workload makes its own as it likes.
    fn workload_above(&self, _path: &str) -> Option<Arc<WorkloadInfo>> {
        None
    }

    /// The path of the cgroup itself below the cgroup2 mount, starting with `/`.
    fn cgroup_path(&self, cgroup: CgroupId) -> Option<Arc<str>>;

    /// Where an address is.
    fn place(&self, addr: Addr) -> PlaceInfo;

    /// Under which names the workload of a cgroup, with this path below the cgroup2 mount, knows an
    /// address.
    fn names(&self, _cgroup: CgroupId, _path: Option<&str>, _addr: Addr) -> NamesInfo {
        NamesInfo::default()
    }

    /// The operator's own NAT64 prefixes, which the decision unwraps before the well-known forms.
    fn nat64(&self) -> &[Nat64Prefix] {
        &[]
    }
}

/// Where a decision comes from in the policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleInfo {
    /// Name of the policy.
    pub policy: Arc<str>,
    /// Name of the rule; `default` for the policy's default.
    pub rule: Arc<str>,
    /// File as given on the command line.
    pub file: Arc<Path>,
    /// Line of the rule, from 1.
    pub line: u32,
    /// The rule allows, and denies this provider: no agreement with it is in force.
    pub no_agreement: Option<Arc<str>>,
    /// Mode of the policy.
    pub mode: Mode,
    /// `spec.dataCategories` of the policy.
    pub data_categories: Vec<String>,
    /// `spec.legalBasis` of the policy.
    pub legal_basis: Vec<String>,
}

/// Whether a policy refuses, or only says what it would refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Denials are denied.
    Enforce,
    /// Denials are allowed and recorded.
    Audit,
}

impl Mode {
    /// The name in events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Audit => "audit",
        }
    }
}

/// What a policy applies to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadInfo {
    /// Name for people, as listings show it.
    pub name: Arc<str>,
    /// What it is.
    pub kind: WorkloadKind,
}

/// The kinds of workloads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkloadKind {
    /// A Kubernetes pod.
    Pod {
        /// `metadata.namespace`.
        namespace: Arc<str>,
        /// `metadata.name`.
        pod: Arc<str>,
    },
    /// A systemd unit.
    SystemdUnit,
    /// A cgroup.
    Cgroup,
    /// The command of `enforcer exec`.
    Exec,
}

impl WorkloadKind {
    /// The name in events.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Pod { .. } => "pod",
            Self::SystemdUnit => "systemd-unit",
            Self::Cgroup => "cgroup",
            Self::Exec => "exec",
        }
    }
}

/// What the names say that a workload looked up and that gave it an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamesInfo {
    /// A name of which the text is known, if it is the only one of which anything is known.
    pub domain: Option<Arc<str>>,
    /// The patterns of policies that match the names, each one once.
    pub patterns: Vec<Arc<str>>,
}

/// What the geo databases in use say of an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlaceInfo {
    /// `None`: no database knows it.
    pub country: Option<CountryCode>,
    /// `None`: no database knows it.
    pub asn: Option<Asn>,
    /// Name of the organisation that holds the ASN.
    pub as_name: Option<Arc<str>>,
    /// Announced from several places at once (RFC 4786): its country is that of no single machine.
    pub anycast: bool,
    /// A special-purpose range, which is in no country.
    pub range: Option<SpecialRange>,
    /// The database that named the country.
    pub database: Option<Arc<DatabaseRef>>,
    /// Whether the databases are of one mind.
    pub agreement: Option<GeoAgreement>,
}

/// Which edition of which database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseRef {
    /// Short name.
    pub name: Arc<str>,
    /// When it was built.
    pub built: SystemTime,
}

impl DatabaseRef {
    /// When it was built, seconds since 1970; `None` before.
    #[must_use]
    pub fn build_epoch(&self) -> Option<u64> {
        let since = self.built.duration_since(UNIX_EPOCH).ok()?;
        Some(since.as_secs())
    }

    /// Whole days from when it was built to `at`; 0 if that is before.
    #[must_use]
    pub fn age_days(&self, at: Timestamp) -> i64 {
        const SECONDS_OF_A_DAY: i64 = 86_400;
        let built = self.build_epoch().unwrap_or_default();
        let age = at.as_second().saturating_sub_unsigned(built);
        age.max(0) / SECONDS_OF_A_DAY
    }
}

/// How the answer of several country databases came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GeoAgreement {
    /// Those that know the address name one country; the setting is `all`.
    All,
    /// Those that know the address name one country; the setting is `any`.
    Any,
    /// They name different countries, whatever the setting.
    Disagree,
}

impl GeoAgreement {
    /// The name in events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Any => "any",
            Self::Disagree => "disagree",
        }
    }
}
