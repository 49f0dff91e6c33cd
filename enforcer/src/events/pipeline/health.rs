//! How a sink does, as its thread tells.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use crate::events::{
    queue::Account,
    sinks::{FailureCause, SinkError},
};

/// Whether a sink takes records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SinkState {
    /// It does, or nothing was sent yet.
    #[default]
    Fine,
    /// It did not take what was sent last.
    Failing,
}

impl SinkState {
    /// The name in status and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Failing => "failing",
        }
    }
}

/// A sink began to fail, or recovered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// Its name.
    pub sink: String,
    /// What it does now.
    pub state: SinkState,
    /// Why it fails.
    pub error: Option<String>,
}

/// How a sink does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkStatus {
    /// Its name.
    pub sink: String,
    /// Whether it takes records.
    pub state: SinkState,
    /// Why it does not.
    pub error: Option<String>,
    /// Records that it took.
    pub delivered: u64,
    /// Records that wait for it.
    pub waiting: u64,
    /// Bytes of them, in memory or on disk.
    pub waiting_bytes: u64,
    /// Records it never got.
    pub lost: u64,
    /// Of these, those that found no room, by severity from the least.
    pub crowded_out: [u64; 4],
    /// Of these, those that the receiver will never take.
    pub refused: u64,
    /// Of these, those whose copy on disk was damaged.
    pub damaged: u64,
    /// Attempts that failed and were tried again, by cause, in the order of [`FailureCause::ALL`].
    pub failures: [u64; FailureCause::ALL.len()],
}

/// What the thread of a sink writes and others read.
#[derive(Debug, Default)]
pub(super) struct Shared {
    tally: Mutex<Tally>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct Tally {
    state: SinkState,
    error: Option<String>,
    failures: [u64; FailureCause::ALL.len()],
    ended: bool,
}

impl Shared {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn works(&self) {
        let mut tally = self.tally();
        tally.state = SinkState::Fine;
        tally.error = None;
    }

    pub(super) fn failed(&self, error: &SinkError) {
        let mut tally = self.tally();
        tally.state = SinkState::Failing;
        tally.failures[error.cause() as usize] += 1;
        tally.error = Some(error.to_string());
    }

    /// It will not take something, and works.
    pub(super) fn refused(&self, error: &SinkError) {
        let mut tally = self.tally();
        tally.failures[error.cause() as usize] += 1;
        tally.error = Some(error.to_string());
    }

    pub(super) fn end(&self) {
        self.tally().ended = true;
        self.ended.notify_all();
    }

    pub(super) fn wait_for_end(&self, until: Instant) {
        let mut tally = self.tally();
        while !tally.ended {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            tally = self
                .ended
                .wait_timeout(tally, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    pub(super) fn state(&self) -> (SinkState, Option<String>) {
        let tally = self.tally();
        (tally.state, tally.error.clone())
    }

    pub(super) fn status(&self, sink: &str, account: Account) -> SinkStatus {
        let tally = self.tally();
        let Account {
            level,
            delivered,
            refused,
        } = account;
        SinkStatus {
            sink: sink.to_owned(),
            state: tally.state,
            error: tally.error.clone(),
            delivered,
            waiting: level.records,
            waiting_bytes: level.bytes,
            lost: level.crowded_out.iter().sum::<u64>() + refused + level.damaged,
            crowded_out: level.crowded_out,
            refused,
            damaged: level.damaged,
            failures: tally.failures,
        }
    }
}
