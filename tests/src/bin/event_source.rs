//! Refusals that nobody made, sent to sinks as the daemon sends its own. Tests stop and kill it.
//!
//! `event-source STATE COUNT SINK...` goes on with the numbers that `STATE` knows until `COUNT` records
//! have been sent, waits until nothing waits, and prints a line of JSON for each sink.

use std::{
    net::Ipv4Addr,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use enforcer::events::{
    Aggregator, Clock, Context, Enricher, Mode, Observer, Pipeline, PlaceInfo, ProcFs, Record,
    RuleInfo, Sequence, SinkSpec, WorkloadInfo, clock::boottime_ns,
};
use enforcer_common::{
    abi::{Addr, CgroupId, ClassId, Event, FlowKey, Hook, Port, Proto, RuleId},
    verdict::{Reason, Verdict},
};
use serde_json::json;

/// Records that are handed over at once.
const BATCH: u64 = 200;
/// How long the sinks may take in the end.
const PATIENCE: Duration = Duration::from_secs(180);

struct Known(Arc<RuleInfo>);

impl Context for Known {
    fn rule(&self, _: RuleId, _: u64) -> Option<Arc<RuleInfo>> {
        Some(Arc::clone(&self.0))
    }

    fn workload(&self, _: CgroupId) -> Option<Arc<WorkloadInfo>> {
        None
    }

    fn cgroup_path(&self, _: CgroupId) -> Option<Arc<str>> {
        None
    }

    fn place(&self, _: Addr) -> PlaceInfo {
        PlaceInfo::default()
    }
}

fn event(number: u64) -> Event {
    let address = Ipv4Addr::from_bits(number as u32);
    Event {
        flow: FlowKey {
            cgroup: CgroupId(1),
            dst: Addr::from_v4(address.octets()),
            port: Port(443),
            proto: Proto::TCP,
            verdict: Verdict::Deny as u8,
            rule: RuleId(1),
            generation: 0,
        },
        at_ns: boottime_ns(),
        generation: 1,
        src: Addr::from_v4([10, 0, 0, 5]),
        pid: 0,
        uid: 0,
        comm: [0; 16],
        src_port: Port(40_000),
        class: ClassId(0),
        hook: Hook::Connect as u8,
        reason: Reason::Rule.to_byte(),
        reserved: [0; 2],
    }
}

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let state = arguments.next().context("which state directory?")?;
    let count: u64 = arguments.next().context("how many?")?.parse()?;
    let sinks: Vec<SinkSpec> = arguments
        .map(|sink| sink.parse())
        .collect::<Result<_, _>>()?;
    let state = Path::new(&state);
    std::fs::create_dir_all(state)?;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let sequence = Sequence::kept(&state.join("sequence"), boot.trim())?;
    let mut observer = Observer::this_host();
    observer.stream = sequence.stream().to_owned();
    let mut pipeline = Pipeline::open(&observer, &sinks, Some(state), sequence)?;
    let rule = RuleInfo {
        policy: "sovereign-llm".into(),
        rule: "default".into(),
        file: Path::new("policies/sovereign-llm.yaml").into(),
        line: 14,
        mode: Mode::Enforce,
        data_categories: vec!["customer-pii".into()],
        legal_basis: vec!["GDPR-Art-44".into()],
        no_agreement: None,
    };
    let enricher = Enricher::new(Known(Arc::new(rule)), ProcFs::at(Path::new("/proc")));
    let mut aggregator = Aggregator::new(enricher, Clock::now(), Duration::from_secs(60));
    while pipeline.sequence() < count {
        for _ in 0..BATCH.min(count - pipeline.sequence()) {
            let violation = aggregator.first(&event(pipeline.sequence()));
            pipeline.push(&Record::Violation(violation));
        }
        pipeline.flush();
        // As fast as a busy host, so that whoever stops and kills has time for it.
        thread::sleep(Duration::from_millis(2));
    }
    let until = Instant::now() + PATIENCE;
    while pipeline.status().any(|sink| sink.waiting > 0) && Instant::now() < until {
        thread::sleep(Duration::from_millis(20));
    }
    for sink in pipeline.status() {
        let report = json!({
            "sink": sink.sink,
            "delivered": sink.delivered,
            "lost": sink.lost,
            "refused": sink.refused,
            "damaged": sink.damaged,
            "failures": sink.failures.iter().sum::<u64>(),
        });
        println!("{report}");
        ensure!(
            sink.waiting == 0,
            "{} still wait: {:?}",
            sink.waiting,
            sink.error
        );
    }
    Ok(())
}
