//! Kernel events, a context and records for tests.

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
        Context, DatabaseRef, GeoAgreement, Mode, PlaceInfo, RuleInfo, WorkloadInfo, WorkloadKind,
    },
    record::Observer,
};
use crate::geo::{Asn, CountryCode, SpecialRange};

pub(super) const CONTAINER: &str =
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
pub(super) const POD: &str = "2f1b3c4d-5e6f-4a1b-8c2d-0123456789ab";

pub(super) fn addr(text: &str) -> Addr {
    match text.parse().expect("an address") {
        IpAddr::V4(v4) => Addr::from_v4(v4.octets()),
        IpAddr::V6(v6) => Addr::from_v6(v6.octets()),
    }
}

/// Refused by rule 7: TCP from 10.0.0.5:40000 to 203.0.113.7:443.
pub(super) fn event() -> Event {
    let mut comm = [0; 16];
    comm[..4].copy_from_slice(b"curl");
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
        comm,
        src_port: Port(40_000),
        class: ClassId(2),
        hook: Hook::Connect as u8,
        reason: Reason::Rule.to_byte(),
        reserved: [0; 2],
    }
}

pub(super) fn observer() -> Observer {
    Observer {
        host: "node-1".into(),
        version: "0.1.0",
        run: "18b2a-1f4".into(),
        stream: "6f9e7a3c-5d20-4d1c-9b8e-2f1b3c4d5e6f".into(),
    }
}

/// Knows cgroup 4711 (a pod), rules 7 (enforced) and 8 (audited), and where three networks are.
#[derive(Debug, Default)]
pub(super) struct SampleContext;

impl Context for SampleContext {
    fn rule(&self, rule: RuleId, generation: u64) -> Option<Arc<RuleInfo>> {
        let mode = match (rule.0, generation) {
            (7, 3) => Mode::Enforce,
            (8, 3) => Mode::Audit,
            _ => return None,
        };
        Some(Arc::new(RuleInfo {
            policy: "sovereign-llm".into(),
            rule: "default".into(),
            file: Path::new("policies/llm.yaml").into(),
            line: 14,
            no_agreement: None,
            mode,
            data_categories: vec!["customer-pii".into()],
            legal_basis: vec!["GDPR-Art-44".into()],
        }))
    }

    fn workload(&self, cgroup: CgroupId) -> Option<Arc<WorkloadInfo>> {
        (cgroup.0 == 4711).then(|| {
            Arc::new(WorkloadInfo {
                name: "llm/vllm-0".into(),
                kind: WorkloadKind::Pod {
                    namespace: "llm".into(),
                    pod: "vllm-0".into(),
                },
            })
        })
    }

    fn cgroup_path(&self, cgroup: CgroupId) -> Option<Arc<str>> {
        (cgroup.0 == 4711).then(|| format!("/kubepods/burstable/pod{POD}/{CONTAINER}").into())
    }

    fn place(&self, place: Addr) -> PlaceInfo {
        if place == addr("10.1.2.3") {
            return PlaceInfo {
                range: Some(SpecialRange::Private),
                ..PlaceInfo::default()
            };
        }
        if place != addr("203.0.113.7") {
            return PlaceInfo::default();
        }
        PlaceInfo {
            country: CountryCode::parse("US"),
            asn: Some(Asn(64_500)),
            as_name: Some("Example Net".into()),
            database: Some(Arc::new(DatabaseRef {
                name: "built-in".into(),
                built: SystemTime::UNIX_EPOCH + Duration::from_secs(1_787_000_000),
            })),
            agreement: Some(GeoAgreement::All),
            ..PlaceInfo::default()
        }
    }

    fn domain(&self, _cgroup: CgroupId, addr_: Addr) -> Option<Arc<str>> {
        (addr_ == addr("203.0.113.7")).then(|| "api.example.com".into())
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
