//! Events: a record in the vocabulary of each consumer.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Result;
use enforcer::events::{
    Aggregator, Clock, Enricher, ProcFs, Record,
    encode::{Encoder, Format},
    record::{Process, ProcessImage},
    samples::{self, SampleContext},
};

use crate::counted::Counted;

const RECORDS: u32 = 256;

/// Every format.
pub(super) fn encode(counted: &mut Counted) -> Result<()> {
    let enricher = Enricher::new(
        SampleContext::of_everything(),
        ProcFs::at(Path::new("/nonexistent")),
    );
    let clock = Clock::with_offset(1_780_000_000_000_000_000);
    let mut aggregator = Aggregator::new(enricher, clock, Duration::from_secs(60));
    let records: Vec<Record> = (0..RECORDS)
        .map(|number| {
            let mut violation = aggregator.first(&samples::event_to(0xcb00_7100 + number));
            Arc::make_mut(&mut violation.facts).process = Some(process());
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
        let mut encoder = Encoder::new(format, &samples::observer());
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

/// Without a parent: the budgets are for such a record.
fn process() -> Process {
    let process = samples::process();
    let image = process.image.map(|image| ProcessImage {
        parent: None,
        ..ProcessImage::clone(&image)
    });
    Process {
        image: image.map(Arc::new),
        ..process
    }
}
