//! Recorded flows: who went where, and what became of it.

mod file;
mod table;

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use enforcer_common::abi::{FlowCount, FlowKey};
use jiff::Timestamp;

use self::table::{Seen, Table};
use crate::{
    control::FlowList,
    events::{Clock, Facts, Violation, aggregate::Describe},
    kernel::{Flows, KernelError},
};

/// How long flows are kept unless said otherwise.
pub const KEEP: Duration = Duration::from_secs(24 * 60 * 60);
/// How many flows are kept unless said otherwise: some 40 MiB.
pub const MOST: usize = 65_536;

/// How often the table is written to its file. What came after is lost if the daemon is killed.
const SAVE: Duration = Duration::from_secs(300);

/// What is recorded.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Flows that pass too.
    pub passing: bool,
    /// How long a flow is kept after it was last seen.
    pub keep: Duration,
    /// How many are kept.
    pub most: usize,
    /// Where they are kept from one daemon to the next.
    pub file: PathBuf,
}

/// Keeps what the kernel counted.
pub struct FlowRecorder {
    recording: Recording,
    table: Table,
    saved: Instant,
}

impl FlowRecorder {
    /// Goes on from what the last daemon left.
    #[must_use]
    pub fn new(recording: Recording) -> Self {
        let mut table = Table::new(recording.most);
        match file::read(&recording.file) {
            Ok(kept) => {
                table.dropped += kept.unreadable;
                kept.flows.into_iter().for_each(|flow| table.restore(flow));
            }
            Err(error) => eprintln!("enforcer: recorded flows: {error:#}"),
        }
        Self {
            recording,
            table,
            saved: Instant::now(),
        }
    }

    /// Records what was refused, or would have been.
    pub fn refused(&mut self, violation: &Violation) {
        let seen = Seen {
            count: violation.count,
            bytes: violation.bytes,
            first: violation.start,
            last: violation.end,
        };
        self.table.add(&violation.facts, seen);
    }

    /// Takes what passed out of the kernel's table. `generation` is the number of the image in
    /// force.
    ///
    /// # Errors
    /// The table cannot be read.
    pub fn take(
        &mut self,
        passed: &mut Flows,
        describe: &mut impl Describe,
        clock: Clock,
        generation: u64,
    ) -> Result<(), KernelError> {
        if self.recording.passing {
            let flows: Vec<(FlowKey, FlowCount)> = passed.all()?;
            for (key, _) in flows {
                if let Some(count) = passed.take(&key)? {
                    let facts: Arc<Facts> = describe.flow(&key, generation);
                    self.table.add(&facts, Seen::at(clock, &count));
                }
            }
        }
        self.table.forget(Timestamp::now(), self.recording.keep);
        if self.saved.elapsed() >= SAVE {
            self.save();
        }
        Ok(())
    }

    /// Writes the table where the next daemon finds it.
    pub fn save(&mut self) {
        self.saved = Instant::now();
        if let Err(error) = file::write(&self.recording.file, self.table.flows()) {
            eprintln!("enforcer: recorded flows: {error:#}");
        }
    }

    /// Flows that found no room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.table.dropped
    }

    /// What is recorded now.
    #[must_use]
    pub fn list(&self) -> FlowList {
        FlowList {
            recording: self.recording.passing,
            keep_seconds: self.recording.keep.as_secs(),
            most: self.recording.most as u64,
            dropped: self.table.dropped,
            flows: self.table.flows().cloned().collect(),
        }
    }
}
