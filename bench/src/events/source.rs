//! Refusals that nobody made, as the kernel writes them, and what the daemon would know of them.

use std::{path::Path, sync::Arc, time::SystemTime};

use enforcer::{
    events::{
        Context, DatabaseRef, GeoAgreement, Mode, PlaceInfo, RuleInfo, WorkloadInfo, WorkloadKind,
        clock::boottime_ns,
    },
    geo::{Asn, CountryCode},
};
use enforcer_common::{
    abi::{Addr, CgroupId, ClassId, Event, FlowKey, Hook, Port, Proto, RuleId},
    verdict::{Reason, Verdict},
};

/// As many as a kernel's flow table holds.
const FLOWS: u32 = 65_536;

/// Answers at once, with everything known.
pub(super) struct Known {
    rule: Arc<RuleInfo>,
    workload: Arc<WorkloadInfo>,
    cgroup: Arc<str>,
    database: Arc<DatabaseRef>,
    holder: Arc<str>,
}

impl Context for Known {
    fn rule(&self, _: RuleId, _: u64) -> Option<Arc<RuleInfo>> {
        Some(Arc::clone(&self.rule))
    }

    fn workload(&self, _: CgroupId) -> Option<Arc<WorkloadInfo>> {
        Some(Arc::clone(&self.workload))
    }

    fn cgroup_path(&self, _: CgroupId) -> Option<Arc<str>> {
        Some(Arc::clone(&self.cgroup))
    }

    fn place(&self, _: Addr) -> PlaceInfo {
        PlaceInfo {
            country: CountryCode::parse("US"),
            asn: Some(Asn(64_500)),
            as_name: Some(Arc::clone(&self.holder)),
            database: Some(Arc::clone(&self.database)),
            agreement: Some(GeoAgreement::All),
            ..PlaceInfo::default()
        }
    }
}

pub(super) fn known() -> Known {
    let id = "0123456789abcdef".repeat(4);
    Known {
        rule: Arc::new(RuleInfo {
            policy: "sovereign-llm".into(),
            rule: "default".into(),
            file: Path::new("policies/sovereign-llm.yaml").into(),
            line: 14,
            no_agreement: None,
            mode: Mode::Enforce,
            data_categories: vec!["customer-pii".into(), "pricing-algorithms".into()],
            legal_basis: vec!["GDPR-Art-44".into(), "NIS2-Art-21".into()],
        }),
        workload: Arc::new(WorkloadInfo {
            name: "llm/vllm-0".into(),
            kind: WorkloadKind::Pod {
                namespace: "llm".into(),
                pod: "vllm-0".into(),
            },
        }),
        cgroup: format!("/kubepods/burstable/pod2f1b3c4d-5e6f-4a1b-8c2d-0123456789ab/{id}").into(),
        database: Arc::new(DatabaseRef {
            name: "built-in".into(),
            built: SystemTime::now(),
        }),
        holder: "Example Net".into(),
    }
}

/// A first refusal of this process.
pub(super) fn event(number: u32, comm: [u8; 16]) -> Event {
    Event {
        flow: FlowKey {
            cgroup: CgroupId(4711),
            dst: Addr::from_v4((number % FLOWS).to_be_bytes()),
            port: Port(443),
            proto: Proto::TCP,
            verdict: Verdict::Deny as u8,
            rule: RuleId(7),
            generation: 0,
        },
        at_ns: boottime_ns(),
        generation: 3,
        src: Addr::from_v4([10, 0, 0, 5]),
        pid: std::process::id(),
        uid: 1000,
        comm,
        src_port: Port(40_000),
        class: ClassId(2),
        hook: Hook::Connect as u8,
        reason: Reason::Rule.to_byte(),
        reserved: [0; 2],
    }
}
