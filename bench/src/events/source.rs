//! How many first refusals a second one core takes from kernel record to line in a file.
//!
//! `cargo run --release --no-default-features --example event_rate -- [FILE]`

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use enforcer::{
    events::{
        Aggregator, Clock, Context, DatabaseRef, Enricher, GeoAgreement, Mode, Observer, Pipeline,
        PlaceInfo, ProcFs, Record, RuleInfo, Sequence, SinkSpec, WorkloadInfo, WorkloadKind,
        clock::boottime_ns,
    },
    geo::{Asn, CountryCode},
};
use enforcer_common::{
    abi::{Addr, CgroupId, ClassId, Event, FlowKey, Hook, Port, Proto, RuleId},
    verdict::{Reason, Verdict},
};
use rustix::time::{ClockId, clock_gettime};

const EVENTS: u32 = 500_000;
const BATCH: u32 = 1000;

/// As many as a kernel's flow table holds.
const FLOWS: u32 = 65_536;

/// Answers at once, with everything known.
struct Known {
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

fn known() -> Known {
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
fn event(number: u32, comm: [u8; 16]) -> Event {
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

fn waiting(pipeline: &Pipeline) -> u64 {
    pipeline.status().map(|sink| sink.waiting).sum()
}

fn main() -> anyhow::Result<()> {
    let file = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "/dev/null".into());
    let sinks: [SinkSpec; 1] = [file.parse()?];
    let observer = Observer::this_host();
    let numbers = Sequence::of_run(&observer.run);
    let mut pipeline = Pipeline::open(&observer, &sinks, None, numbers)?;
    let enricher = Enricher::new(known(), ProcFs::at(Path::new("/proc")));
    let mut aggregator = Aggregator::new(enricher, Clock::now(), Duration::from_secs(60));
    let mut comm = [0; 16];
    let name = std::fs::read("/proc/self/comm")?;
    let name = name.strip_suffix(b"\n").unwrap_or(&name);
    comm[..name.len()].copy_from_slice(name);

    let started = Instant::now();
    for batch in 0..EVENTS / BATCH {
        let events: Vec<Event> = (0..BATCH)
            .map(|number| event(batch * BATCH + number, comm))
            .collect();
        for event in &events {
            pipeline.push(&Record::Violation(aggregator.first(event)));
        }
        pipeline.flush();
        // The ring would hold what is not drained; here it is the file that must keep up.
        while waiting(&pipeline) > u64::from(BATCH) * 8 {
            std::thread::yield_now();
        }
    }
    while waiting(&pipeline) > 0 {
        std::thread::yield_now();
    }
    let lost: u64 = pipeline.status().map(|sink| sink.lost).sum();
    anyhow::ensure!(lost == 0, "{lost} events were lost");
    let wall = started.elapsed().as_secs_f64();
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    let cpu = cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9;
    let rate = |seconds: f64| f64::from(EVENTS) / seconds;
    println!("{EVENTS} events in {wall:.2} s: {:.0} a second", rate(wall));
    println!("{cpu:.2} s of one core: {:.0} a second of it", rate(cpu));
    Ok(())
}
