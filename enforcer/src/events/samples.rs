//! Kernel events, records and a context for tests and measurements: nobody made these refusals.

use std::{
    net::IpAddr,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use enforcer_common::{
    abi::{Addr, CgroupId, ClassId, Event, FlowKey, Hook, Nat64Prefix, Port, Proto, RuleId},
    verdict::{Reason, Verdict},
};

use super::{
    context::{
        Context, DatabaseRef, GeoAgreement, Mode, NamesInfo, PlaceInfo, RuleInfo, WorkloadInfo,
        WorkloadKind,
    },
    record::{CommandName, Observer, Parent, Process, ProcessImage},
};
use crate::geo::{Asn, CountryCode, SpecialRange};

/// Id of the container in [`event`].
pub const CONTAINER: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
/// UID of its pod.
pub const POD: &str = "2f1b3c4d-5e6f-4a1b-8c2d-0123456789ab";

/// From text.
///
/// # Panics
/// It is no address.
#[must_use]
pub fn addr(text: &str) -> Addr {
    match text.parse().expect("an address") {
        IpAddr::V4(v4) => Addr::from_v4(v4.octets()),
        IpAddr::V6(v6) => Addr::from_v6(v6.octets()),
    }
}

/// Refused by rule 7: TCP from 10.0.0.5:40000 to 203.0.113.7:443, by no process.
#[must_use]
pub fn event() -> Event {
    Event {
        flow: FlowKey {
            cgroup: CgroupId(4711),
            dst: addr("203.0.113.7"),
            port: Port(443),
            proto: Proto::TCP,
            verdict: Verdict::Deny as u8,
            rule: RuleId(7),
            generation: 3,
        },
        at_ns: 5_000_000_000,
        generation: 3,
        src: addr("10.0.0.5"),
        pid: 0,
        uid: 1000,
        comm: name("curl"),
        src_port: Port(40_000),
        class: ClassId(2),
        hook: Hook::Connect as u8,
        reason: Reason::Rule.to_byte(),
        reserved: [0; 2],
    }
}

/// [`event`] to the IPv4 address of a number: each is a flow of its own.
#[must_use]
pub fn event_to(number: u32) -> Event {
    let event = event();
    Event {
        flow: FlowKey {
            dst: Addr::from_v4(number.to_be_bytes()),
            ..event.flow
        },
        ..event
    }
}

/// A process that could have sent [`event`]. What is read of real ones differs between machines.
#[must_use]
pub fn process() -> Process {
    Process {
        pid: 4242,
        uid: 1000,
        name: CommandName::new(name("curl")),
        image: Some(Arc::new(ProcessImage {
            executable: Some("/usr/bin/curl".into()),
            command_line: Some("curl --oauth2-bearer [redacted] https://api.example.com/".into()),
            parent: Some(Parent {
                pid: 4100,
                name: Some(CommandName::new(name("sh"))),
                executable: Some("/usr/bin/dash".into()),
            }),
            cgroup: None,
        })),
    }
}

/// As the kernel keeps it.
fn name(text: &str) -> [u8; 16] {
    let mut name = [0; 16];
    name[..text.len()].copy_from_slice(text.as_bytes());
    name
}

/// Who reports.
#[must_use]
pub fn observer() -> Observer {
    Observer {
        host: "node-1".into(),
        version: "0.1.0",
        run: "18b2a-1f4".into(),
        stream: "6f9e7a3c-5d20-4d1c-9b8e-2f1b3c4d5e6f".into(),
    }
}

/// Answers at once, from memory.
#[derive(Clone, Debug)]
pub struct SampleContext {
    enforced: Arc<RuleInfo>,
    audited: Arc<RuleInfo>,
    workload: Arc<WorkloadInfo>,
    cgroup: Arc<str>,
    place: PlaceInfo,
    domain: Arc<str>,
    everything: bool,
}

impl SampleContext {
    /// Knows cgroup 4711 (a pod), of image 3 the rules 7 (enforced) and 8 (audited), and where
    /// 203.0.113.7 and 10.1.2.3 are.
    #[must_use]
    pub fn of_a_node() -> Self {
        let rule = |mode| RuleInfo {
            policy: "sovereign-llm".into(),
            rule: "default".into(),
            file: Path::new("policies/llm.yaml").into(),
            line: 14,
            no_agreement: None,
            mode,
            data_categories: vec!["customer-pii".into(), "pricing-algorithms".into()],
            legal_basis: vec!["GDPR-Art-44".into(), "NIS2-Art-21".into()],
        };
        Self {
            enforced: Arc::new(rule(Mode::Enforce)),
            audited: Arc::new(rule(Mode::Audit)),
            workload: Arc::new(WorkloadInfo {
                name: "llm/vllm-0".into(),
                kind: WorkloadKind::Pod {
                    namespace: "llm".into(),
                    pod: "vllm-0".into(),
                },
            }),
            cgroup: format!("/kubepods/burstable/pod{POD}/{CONTAINER}").into(),
            place: PlaceInfo {
                country: CountryCode::parse("US"),
                asn: Some(Asn(64_500)),
                as_name: Some("Example Net".into()),
                database: Some(Arc::new(DatabaseRef {
                    name: "built-in".into(),
                    built: SystemTime::UNIX_EPOCH + Duration::from_secs(1_787_000_000),
                })),
                agreement: Some(GeoAgreement::All),
                ..PlaceInfo::default()
            },
            domain: "api.example.com".into(),
            everything: false,
        }
    }

    /// Takes every cgroup for that pod, every rule for the enforced one, and every address for
    /// 203.0.113.7.
    #[must_use]
    pub fn of_everything() -> Self {
        Self {
            everything: true,
            ..Self::of_a_node()
        }
    }

    fn is_pod(&self, cgroup: CgroupId) -> bool {
        self.everything || cgroup == CgroupId(4711)
    }

    fn is_example(&self, place: Addr) -> bool {
        self.everything || place == addr("203.0.113.7")
    }
}

impl Context for SampleContext {
    fn rule(&self, rule: RuleId, generation: u64) -> Option<Arc<RuleInfo>> {
        let found = match (rule.0, generation) {
            _ if self.everything => &self.enforced,
            (7, 3) => &self.enforced,
            (8, 3) => &self.audited,
            _ => return None,
        };
        Some(Arc::clone(found))
    }

    fn workload(&self, cgroup: CgroupId) -> Option<Arc<WorkloadInfo>> {
        self.is_pod(cgroup).then(|| Arc::clone(&self.workload))
    }

    fn cgroup_path(&self, cgroup: CgroupId) -> Option<Arc<str>> {
        self.is_pod(cgroup).then(|| Arc::clone(&self.cgroup))
    }

    fn place(&self, place: Addr) -> PlaceInfo {
        if self.is_example(place) {
            return self.place.clone();
        }
        PlaceInfo {
            range: (place == addr("10.1.2.3")).then_some(SpecialRange::Private),
            ..PlaceInfo::default()
        }
    }

    fn names(&self, _: CgroupId, _: Option<&str>, place: Addr) -> NamesInfo {
        if !self.is_example(place) {
            return NamesInfo::default();
        }
        NamesInfo {
            domain: Some(Arc::clone(&self.domain)),
            patterns: vec![Arc::clone(&self.domain)],
        }
    }

    fn nat64(&self) -> &[Nat64Prefix] {
        const OWN: [Nat64Prefix; 1] = [Nat64Prefix {
            hi: 0x2001_0db8_0064_0000,
            lo: 0,
            len: 96,
            reserved: 0,
        }];
        &OWN
    }
}
