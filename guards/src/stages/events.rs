//! Events: a record in the vocabulary of each consumer.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::Result;
use enforcer::{
    events::{
        Aggregator, Clock, Context, DatabaseRef, Enricher, GeoAgreement, Mode, Observer, PlaceInfo,
        ProcFs, Record, RuleInfo, WorkloadInfo, WorkloadKind,
        encode::{Encoder, Format},
        record::{CommandName, Process, ProcessImage},
    },
    geo::{Asn, CountryCode},
};
use enforcer_common::{
    abi::{Addr, CgroupId, ClassId, Event, FlowKey, Hook, Port, Proto, RuleId},
    verdict::{Reason, Verdict},
};

use crate::counted::Counted;

const RECORDS: u32 = 256;

/// Every format.
pub(super) fn encode(counted: &mut Counted) -> Result<()> {
    let enricher = Enricher::new(Known, ProcFs::at(Path::new("/nonexistent")));
    let clock = Clock::with_offset(1_780_000_000_000_000_000);
    let mut aggregator = Aggregator::new(enricher, clock, Duration::from_secs(60));
    let records: Vec<Record> = (0..RECORDS)
        .map(|number| {
            let mut violation = aggregator.first(&refused(number));
            Arc::make_mut(&mut violation.facts).process = Some(curl());
            Record::Violation(violation)
        })
        .collect();
    let formats = [
        ("encode-ecs", Format::Ecs),
        ("encode-ocsf", Format::Ocsf),
        ("encode-cef", Format::Cef),
        ("encode-otlp", Format::Otlp),
    ];
    for (stage, format) in formats {
        let mut encoder = Encoder::new(format, &observer());
        let mut out = Vec::with_capacity(1 << 20);
        counted.stage(stage, records.len(), || {
            for (record, sequence) in records.iter().zip(1_000..) {
                encoder.encode(record, sequence, &mut out);
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn observer() -> Observer {
    Observer {
        host: "node-1.example.net".into(),
        version: "0.1.0",
        run: "18b2a-1f4".into(),
        stream: "6f9e7a3c-5d20-4d1c-9b8e-2f1b3c4d5e6f".into(),
    }
}

/// Knows everything, of whatever it is asked.
struct Known;

impl Context for Known {
    fn rule(&self, _: RuleId, _: u64) -> Option<Arc<RuleInfo>> {
        Some(Arc::new(RuleInfo {
            policy: "sovereign-llm".into(),
            rule: "default".into(),
            file: Path::new("policies/sovereign-llm.yaml").into(),
            line: 14,
            no_agreement: None,
            mode: Mode::Enforce,
            data_categories: vec!["customer-pii".into(), "pricing-algorithms".into()],
            legal_basis: vec!["GDPR-Art-44".into(), "NIS2-Art-21".into()],
        }))
    }

    fn workload(&self, _: CgroupId) -> Option<Arc<WorkloadInfo>> {
        Some(Arc::new(WorkloadInfo {
            name: "llm/vllm-0".into(),
            kind: WorkloadKind::Pod {
                namespace: "llm".into(),
                pod: "vllm-0".into(),
            },
        }))
    }

    fn cgroup_path(&self, _: CgroupId) -> Option<Arc<str>> {
        let container = "0123456789abcdef".repeat(4);
        let pod = "pod2f1b3c4d-5e6f-4a1b-8c2d-0123456789ab";
        Some(format!("/kubepods/burstable/{pod}/{container}").into())
    }

    fn place(&self, _: Addr) -> PlaceInfo {
        PlaceInfo {
            country: CountryCode::parse("US"),
            asn: Some(Asn(64_500)),
            as_name: Some("Example Net".into()),
            database: Some(Arc::new(DatabaseRef {
                name: "built-in".into(),
                built: SystemTime::UNIX_EPOCH + Duration::from_secs(1_780_000_000),
            })),
            agreement: Some(GeoAgreement::All),
            ..PlaceInfo::default()
        }
    }

    fn domain(&self, _: CgroupId, _: Addr) -> Option<Arc<str>> {
        Some("api.example.com".into())
    }
}

/// Made up, since what is read of real processes differs between machines.
fn curl() -> Process {
    let mut name = [0; 16];
    name[..4].copy_from_slice(b"curl");
    Process {
        pid: 4242,
        uid: 1000,
        name: CommandName::new(name),
        image: Some(Arc::new(ProcessImage {
            executable: Some("/usr/bin/curl".to_owned()),
            command_line: Some("curl --silent https://api.example.com/v1/models".to_owned()),
            ..ProcessImage::default()
        })),
    }
}

/// Of no process: see [`curl`].
fn refused(number: u32) -> Event {
    Event {
        flow: FlowKey {
            cgroup: CgroupId(4711),
            dst: Addr::from_v4((0xcb00_7100 + number).to_be_bytes()),
            port: Port(443),
            proto: Proto::TCP,
            verdict: Verdict::Deny as u8,
            rule: RuleId(7),
            generation: 3,
        },
        at_ns: 5_000_000_000 + u64::from(number),
        generation: 3,
        src: Addr::from_v4([10, 0, 0, 5]),
        pid: 0,
        uid: 0,
        comm: [0; 16],
        src_port: Port(40_000),
        class: ClassId(2),
        hook: Hook::Connect as u8,
        reason: Reason::Rule.to_byte(),
        reserved: [0; 2],
    }
}
