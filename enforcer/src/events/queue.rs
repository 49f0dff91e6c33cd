//! What waits for a sink: filled by the pipeline, emptied by the sink's own thread.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::batch::{Batch, Place};

mod memory;
mod spool;

pub use memory::Memory;
pub use spool::{Spool, SpoolError};

/// Where records wait.
///
/// A record leaves when it is released, or is lost: where there is no room, the oldest of the
/// least severe go first.
pub trait Store: Send {
    /// Adds records and gives them places.
    fn append(&mut self, batch: Batch);

    /// Records from `from` on, at most `most_bytes` of them, but at least one if there is any. They are
    /// on their way then: room is not made at their cost.
    fn read(&mut self, from: Place, most_bytes: usize) -> Arc<Batch>;

    /// Records up to and including `through` have been delivered.
    fn release(&mut self, through: Place);

    /// What was read and is not released will be read again: nothing is on its way. The first of it.
    fn rewind(&mut self) -> Place;

    /// The place that the next record gets.
    fn next(&self) -> Place;

    /// Writes what a crash of the machine must not take.
    fn sync(&mut self) {}

    /// What waits and what was lost.
    fn level(&self) -> Level;
}

/// What waits in a queue, and what was lost there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// Records that wait.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes that may wait.
    pub capacity: u64,
    /// Records lost because there was no room, by severity from the least.
    pub crowded_out: [u64; 4],
    /// Records lost because what was stored had been damaged.
    pub damaged: u64,
}

/// What became of the records of a queue, at one moment: what was put in is delivered, refused, lost or
/// waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) level: Level,
    /// Records that the sink took.
    pub(super) delivered: u64,
    /// Records that it will never take.
    pub(super) refused: u64,
}

/// What the sink's thread finds.
pub(super) enum Next {
    /// Records to deliver.
    Batch(Arc<Batch>),
    /// Nothing new in the time given.
    Nothing,
    /// Nothing is left, and nothing will come.
    Closed,
}

/// A store that two threads share.
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    store: Box<dyn Store>,
    delivered: u64,
    refused: u64,
    closed: bool,
    reopen: bool,
}

impl Queue {
    pub(super) fn new(store: Box<dyn Store>) -> Self {
        Self {
            state: Mutex::new(State {
                store,
                delivered: 0,
                refused: 0,
                closed: false,
                reopen: false,
            }),
            changed: Condvar::new(),
        }
    }

    /// A panic of the other thread leaves the store as usable as it was.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn append(&self, batch: Batch) {
        self.state().store.append(batch);
        self.changed.notify_all();
    }

    /// Waits up to `patience` for records from `from` on.
    pub(super) fn next(&self, from: Place, most_bytes: usize, patience: Duration) -> Next {
        let until = Instant::now() + patience;
        let mut state = self.state();
        loop {
            if state.store.next() > from {
                let batch = state.store.read(from, most_bytes);
                if !batch.is_empty() {
                    return Next::Batch(batch);
                }
            }
            if state.closed {
                return Next::Closed;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || state.reopen {
                return Next::Nothing;
            }
            state = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Waits until the queue is closed; says whether it is. A retry that was asked for ends the wait.
    pub(super) fn pause(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        let mut state = self.state();
        while !state.closed && !state.reopen {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        state.closed
    }

    /// Of the records up to and including `through`, so many more were delivered and refused.
    pub(super) fn release(&self, through: Place, delivered: u64, refused: u64) {
        let mut state = self.state();
        state.delivered += delivered;
        state.refused += refused;
        state.store.release(through);
    }

    pub(super) fn rewind(&self) -> Place {
        self.state().store.rewind()
    }

    pub(super) fn account(&self) -> Account {
        let state = self.state();
        Account {
            level: state.store.level(),
            delivered: state.delivered,
            refused: state.refused,
        }
    }

    pub(super) fn sync(&self) {
        self.state().store.sync();
    }

    /// Nothing will be appended any more.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    /// The sink is to open its destination anew.
    pub(super) fn ask_to_reopen(&self) {
        self.state().reopen = true;
        self.changed.notify_all();
    }

    /// Whether that was asked since the last call.
    pub(super) fn asked_to_reopen(&self) -> bool {
        std::mem::take(&mut self.state().reopen)
    }
}
