//! Numbers records, encodes them for each sink, and hands them to the threads that deliver.

use std::{
    collections::HashMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    batch::{Batch, Item, Place},
    encode::{Encoder, Format},
    queue::{Memory, Queue, Spool, SpoolError, Store},
    record::{Observer, Record},
    sequence::Sequence,
    sinks::{Filter, Sink, SinkError, SinkSpec},
};

mod courier;
mod health;

use courier::Courier;
use health::Shared;
pub use health::{News, SinkState, SinkStatus};

/// What waits in memory for a sink without a spool, in bytes: some 20 000 records.
pub const BACKLOG_BYTES: u64 = 32 << 20;
/// A batch is handed over when it has so many bytes: receivers of HTTP take about a MiB at once.
const BATCH_BYTES: usize = 512 << 10;
/// How long the threads may take to deliver what waits when the pipeline ends.
const FAREWELL: Duration = Duration::from_secs(5);

/// The last stage. Never waits for a sink: each has its own thread and queue.
///
/// Every record gets the next number, whether or not a sink can take it: a consumer that misses a
/// number knows that a line is missing.
pub struct Pipeline {
    sequence: Sequence,
    encoders: HashMap<Format, (Encoder, Vec<u8>)>,
    lanes: Vec<Lane>,
}

/// A sink and the way to it.
struct Lane {
    name: String,
    format: Format,
    filter: Filter,
    pending: Batch,
    spooled: bool,
    queue: Arc<Queue>,
    shared: Arc<Shared>,
    told: SinkState,
}

/// A sink that cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("event sink `{name}`: {problem}")]
pub struct OpenError {
    name: String,
    problem: Problem,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Sink(#[from] SinkError),
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error("start its thread: {0}")]
    Thread(std::io::Error),
}

impl Pipeline {
    /// A pipeline to these sinks. `state` is where spools are kept; without it, and for sinks on
    /// this machine, records wait in memory ([`BACKLOG_BYTES`] for each sink).
    ///
    /// # Errors
    /// A sink or its spool cannot be opened. A receiver that does not answer is no error: it is
    /// tried again.
    pub fn open(
        observer: &Observer,
        specs: &[SinkSpec],
        state: Option<&Path>,
        sequence: Sequence,
    ) -> Result<Self, OpenError> {
        let mut pipeline = Self {
            sequence,
            encoders: HashMap::new(),
            lanes: Vec::new(),
        };
        for spec in specs {
            let mut open = || -> Result<(), Problem> {
                let sink = spec.open(observer)?;
                let store: Box<dyn Store> = match (spec.spool_bytes(), state) {
                    (Some(bytes), Some(state)) => {
                        let directory = state.join("spool").join(spec.slug());
                        let spool = Spool::open(&directory, bytes)?;
                        pipeline.sequence.pass(spool.last_sequence());
                        Box::new(spool)
                    }
                    _ => Box::new(Memory::new(BACKLOG_BYTES)),
                };
                pipeline
                    .add(observer, spec, sink, store)
                    .map_err(Problem::Thread)
            };
            open().map_err(|problem| OpenError {
                name: spec.name().to_owned(),
                problem,
            })?;
        }
        Ok(pipeline)
    }

    fn add(
        &mut self,
        observer: &Observer,
        spec: &SinkSpec,
        sink: Box<dyn Sink>,
        store: Box<dyn Store>,
    ) -> std::io::Result<()> {
        let queue = Arc::new(Queue::new(store));
        let shared = Arc::new(Shared::default());
        Courier::start(spec.name(), Arc::clone(&queue), Arc::clone(&shared), sink)?;
        let format = spec.format();
        self.encoders
            .entry(format)
            .or_insert_with(|| (Encoder::new(format, observer), Vec::new()));
        self.lanes.push(Lane {
            name: spec.name().to_owned(),
            format,
            filter: spec.filter().clone(),
            pending: Batch::default(),
            spooled: spec.spool_bytes().is_some(),
            queue,
            shared,
            told: SinkState::Fine,
        });
        Ok(())
    }

    /// Numbers and encodes a record. It waits for [`Pipeline::flush`], or until many wait.
    pub fn push(&mut self, record: &Record) {
        let sequence = self.sequence.advance();
        for (_, written) in self.encoders.values_mut() {
            written.clear();
        }
        let (severity, at) = (record.severity(), record.at().as_nanosecond());
        // Nanoseconds of 64 bits end in the year 2262.
        let at_ns = i64::try_from(at).unwrap_or(i64::MAX);
        let mut full = false;
        for lane in &mut self.lanes {
            if !lane.filter.passes(record) {
                continue;
            }
            let Some((encoder, written)) = self.encoders.get_mut(&lane.format) else {
                continue;
            };
            if written.is_empty() {
                encoder.encode(record, sequence, written);
            }
            lane.pending.push(Item {
                place: Place::default(),
                sequence,
                severity,
                at_ns,
                payload: written,
            });
            full |= lane.pending.bytes().len() >= BATCH_BYTES;
        }
        if full {
            self.flush();
        }
    }

    /// Hands what was pushed to the threads that deliver it. Call it after each batch of records.
    ///
    /// Numbers are remembered between the spools and the sinks without one: a killed daemon gives no
    /// number again that a sink has, and leaves out none that was stored.
    pub fn flush(&mut self) {
        let spooled = |lane: &&mut Lane| lane.spooled;
        self.lanes
            .iter_mut()
            .filter(spooled)
            .for_each(Lane::hand_over);
        self.sequence.save();
        self.lanes.iter_mut().for_each(Lane::hand_over);
    }

    /// Has what waits on disk survive a crash of the machine. Takes as long as the disk does.
    pub fn sync(&self) {
        for lane in &self.lanes {
            lane.queue.sync();
        }
    }

    /// Has files opened anew where they were moved away (SIGHUP of log rotation), and what failed
    /// tried again at once.
    pub fn reopen(&self) {
        for lane in &self.lanes {
            lane.queue.ask_to_reopen();
        }
    }

    /// How many records were numbered: the number of the last one.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence.last()
    }

    /// How each sink does.
    pub fn status(&self) -> impl Iterator<Item = SinkStatus> {
        self.lanes
            .iter()
            .map(|lane| lane.shared.status(&lane.name, lane.queue.account()))
    }

    /// What changed for a sink since the last call: it began to fail, or recovered.
    pub fn news(&mut self) -> Vec<News> {
        let changed = self.lanes.iter_mut().filter_map(|lane| {
            let (state, error) = lane.shared.state();
            (state != std::mem::replace(&mut lane.told, state)).then(|| News {
                sink: lane.name.clone(),
                state,
                error,
            })
        });
        changed.collect()
    }
}

impl Lane {
    fn hand_over(&mut self) {
        if !self.pending.is_empty() {
            self.queue.append(std::mem::take(&mut self.pending));
        }
    }
}

impl Drop for Pipeline {
    /// Gives the threads some time to deliver what waits.
    fn drop(&mut self) {
        self.flush();
        let until = Instant::now() + FAREWELL;
        for lane in &self.lanes {
            lane.queue.close();
        }
        for lane in &self.lanes {
            lane.shared.wait_for_end(until);
            lane.queue.sync();
        }
    }
}

#[cfg(test)]
mod tests;
