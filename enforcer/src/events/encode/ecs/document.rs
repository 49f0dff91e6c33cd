//! The fields, in the order of the line.

use std::{fmt, net::IpAddr};

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::events::record::Observer;

#[derive(Serialize)]
pub(super) struct Document<'a> {
    #[serde(rename = "@timestamp")]
    pub(super) timestamp: Time,
    pub(super) ecs: Ecs,
    pub(super) event: Event<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<Failure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) network: Option<Network>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) destination: Option<Destination<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<Source>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) process: Option<Process<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) container: Option<Container<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) orchestrator: Option<Orchestrator<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rule: Option<Rule<'a>>,
    pub(super) observer: Agent<'a>,
    pub(super) host: Host<'a>,
    pub(super) enforcer: Own<'a>,
}

/// Own fields: those of a violation, or those of a daemon event.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Own<'a> {
    Violation(OwnViolation<'a>),
    Daemon(OwnDaemon<'a>),
}

#[derive(Serialize)]
pub(super) struct Ecs {
    pub(super) version: &'static str,
}

pub(super) const ECS: Ecs = Ecs {
    version: super::ECS_VERSION,
};

#[derive(Serialize)]
pub(super) struct Event<'a> {
    pub(super) kind: &'static str,
    pub(super) category: [&'static str; 1],
    #[serde(rename = "type")]
    pub(super) types: &'static [&'static str],
    pub(super) action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<&'a str>,
    pub(super) outcome: &'static str,
    pub(super) sequence: u64,
    pub(super) severity: u8,
    pub(super) dataset: &'static str,
    pub(super) module: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) start: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) end: Option<Time>,
}

#[derive(Serialize)]
pub(super) struct Failure {
    pub(super) message: String,
}

#[derive(Serialize)]
pub(super) struct Network {
    pub(super) direction: &'static str,
    #[serde(rename = "type")]
    pub(super) family: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) transport: Option<&'static str>,
    /// A keyword in the schema, so a string.
    pub(super) iana_number: Shown<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<u64>,
}

#[derive(Serialize)]
pub(super) struct Destination<'a> {
    pub(super) ip: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) domain: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) geo: Option<Geo<'a>>,
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub(super) autonomous_system: Option<AutonomousSystem<'a>>,
}

#[derive(Serialize)]
pub(super) struct Geo<'a> {
    pub(super) country_iso_code: &'a str,
}

#[derive(Serialize)]
pub(super) struct AutonomousSystem<'a> {
    pub(super) number: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) organization: Option<Organization<'a>>,
}

#[derive(Serialize)]
pub(super) struct Organization<'a> {
    pub(super) name: &'a str,
}

#[derive(Serialize)]
pub(super) struct Source {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) port: Option<u16>,
}

#[derive(Serialize)]
pub(super) struct Process<'a> {
    pub(super) pid: u32,
    pub(super) name: std::borrow::Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) executable: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) command_line: Option<&'a str>,
    pub(super) user: User,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parent: Option<Parent>,
}

#[derive(Serialize)]
pub(super) struct User {
    /// A keyword in the schema, so a string.
    pub(super) id: Shown<u32>,
}

#[derive(Serialize)]
pub(super) struct Parent {
    pub(super) pid: u32,
}

#[derive(Serialize)]
pub(super) struct Container<'a> {
    pub(super) id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) runtime: Option<&'static str>,
}

#[derive(Serialize)]
pub(super) struct Orchestrator<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<&'a str>,
    pub(super) resource: Resource<'a>,
}

#[derive(Serialize)]
pub(super) struct Resource<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct Rule<'a> {
    pub(super) name: &'a str,
    pub(super) ruleset: &'a str,
}

#[derive(Serialize)]
pub(super) struct Agent<'a> {
    pub(super) vendor: &'static str,
    pub(super) product: &'static str,
    pub(super) version: &'static str,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    #[serde(skip)]
    pub(super) run: &'a str,
}

impl<'a> Agent<'a> {
    pub(super) fn new(observer: &'a Observer) -> Self {
        Self {
            vendor: "enforcer",
            product: "enforcer",
            version: observer.version,
            kind: "firewall",
            run: &observer.run,
        }
    }
}

#[derive(Serialize)]
pub(super) struct Host<'a> {
    pub(super) name: &'a str,
}

#[derive(Serialize)]
pub(super) struct OwnViolation<'a> {
    pub(super) verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mode: Option<&'static str>,
    pub(super) workload: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) workload_kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cgroup: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) class: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hook: Option<&'static str>,
    pub(super) generation: u64,
    pub(super) count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) judged_ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) data_categories: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) legal_basis: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rule_source: Option<Shown<RuleSource<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) geo: Option<OwnGeo<'a>>,
    pub(super) run: &'a str,
}

#[derive(Serialize)]
pub(super) struct OwnGeo<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) database: Option<&'a str>,
    /// Seconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) build_epoch: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) agreement: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) range: Option<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) anycast: bool,
}

#[derive(Default, Serialize)]
pub(super) struct OwnDaemon<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) generation: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) policies: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fault: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cause: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) geo: Option<DatabaseAge<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) provider: Option<Agreed<'a>>,
    pub(super) run: &'a str,
}

#[derive(Serialize)]
pub(super) struct Agreed<'a> {
    pub(super) name: &'a str,
    pub(super) policy: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reference: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct DatabaseAge<'a> {
    pub(super) database: &'a str,
    pub(super) age_days: u32,
    pub(super) limit_days: u32,
}

pub(super) struct RuleSource<'a> {
    pub(super) file: &'a std::path::Path,
    pub(super) line: u32,
}

impl fmt::Display for RuleSource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// A string made of what a value shows.
pub(super) struct Shown<T>(pub(super) T);

impl<T: fmt::Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// RFC 3339 in UTC, always with nine digits of a second, so that lines sort as text.
pub(super) struct Time(pub(super) Timestamp);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:.9}", self.0))
    }
}
