//! Refusals that nobody made, sent to sinks as the daemon sends its own. Tests stop and kill it.
//!
//! `event-source STATE COUNT SINK...` goes on with the numbers that `STATE` knows until `COUNT` records
//! have been sent, waits until nothing waits, and prints a line of JSON for each sink.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use enforcer::events::{
    Aggregator, Clock, Enricher, Observer, Pipeline, ProcFs, Record, Sequence, SinkSpec,
    clock::boottime_ns,
    samples::{self, SampleContext},
};
use enforcer_common::abi::Event;
use serde_json::json;

/// Records that are handed over at once.
const BATCH: u64 = 200;
/// How long the sinks may take in the end.
const PATIENCE: Duration = Duration::from_secs(180);

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
    let enricher = Enricher::new(
        SampleContext::of_everything(),
        ProcFs::at(Path::new("/proc")),
    );
    let mut aggregator = Aggregator::new(enricher, Clock::now(), Duration::from_secs(60));
    while pipeline.sequence() < count {
        for _ in 0..BATCH.min(count - pipeline.sequence()) {
            let event = Event {
                at_ns: boottime_ns(),
                ..samples::event_to(pipeline.sequence() as u32)
            };
            let violation = aggregator.first(&event);
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
