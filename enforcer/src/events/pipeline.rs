//! Numbers records, encodes them, and keeps each line until every sink has taken it.

use super::{
    encode::ecs,
    record::{Observer, Record},
    sinks::{Sink, SinkError},
};

mod outlet;

use outlet::Outlet;
pub use outlet::SinkStatus;

/// The last stage. Synchronous: give it a thread of its own where a sink may be slow.
///
/// Every record gets the next number, whether or not a sink can take it: a consumer that misses a
/// number knows that a line is missing.
pub struct Pipeline {
    encoder: ecs::Encoder,
    sequence: u64,
    batch: Vec<u8>,
    in_batch: u64,
    not_encoded: u64,
    outlets: Vec<Outlet>,
}

/// What a sink may fall behind by before lines are lost, in bytes: some 20 000 records.
pub const BACKLOG_BYTES: usize = 32 << 20;

impl Pipeline {
    /// A pipeline that begins with number 1. `backlog_bytes` bounds what is kept for each sink that
    /// does not take its lines; [`BACKLOG_BYTES`] is a good value.
    #[must_use]
    pub fn new(observer: Observer, sinks: Vec<Box<dyn Sink>>, backlog_bytes: usize) -> Self {
        let outlets = sinks
            .into_iter()
            .map(|sink| Outlet::new(sink, backlog_bytes))
            .collect();
        Self {
            encoder: ecs::Encoder::new(observer),
            sequence: 0,
            batch: Vec::new(),
            in_batch: 0,
            not_encoded: 0,
            outlets,
        }
    }

    /// Numbers and encodes a record. It waits for [`Pipeline::flush`].
    pub fn push(&mut self, record: &Record) {
        self.sequence += 1;
        match self.encoder.encode(record, self.sequence, &mut self.batch) {
            Ok(()) => self.in_batch += 1,
            Err(_) => self.not_encoded += 1,
        }
    }

    /// Offers what waits to every sink. Call it after each batch of records, and every second or so
    /// without any, so that a sink that failed is tried again.
    ///
    /// # Errors
    /// What each failing sink said. Its lines are kept, and the others have theirs.
    pub fn flush(&mut self) -> Result<(), Vec<SinkError>> {
        let mut errors = Vec::new();
        for outlet in &mut self.outlets {
            errors.extend(outlet.offer(&self.batch, self.in_batch).err());
        }
        self.batch.clear();
        self.in_batch = 0;
        if errors.is_empty() {
            Ok(())
        } else {
            Err(errors)
        }
    }

    /// Opens files anew where they were moved away (SIGHUP of log rotation).
    ///
    /// # Errors
    /// What each failing sink said. It goes on with its old file.
    pub fn reopen(&mut self) -> Result<(), Vec<SinkError>> {
        let errors: Vec<_> = self
            .outlets
            .iter_mut()
            .filter_map(|outlet| outlet.reopen().err())
            .collect();
        if errors.is_empty() {
            Ok(())
        } else {
            Err(errors)
        }
    }

    /// How many records were numbered.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// How many records could not be encoded.
    #[must_use]
    pub fn not_encoded(&self) -> u64 {
        self.not_encoded
    }

    /// How each sink does.
    pub fn status(&self) -> impl Iterator<Item = SinkStatus<'_>> {
        self.outlets.iter().map(Outlet::status)
    }
}

#[cfg(test)]
mod tests;
