//! The numbers of the events that arrived.

use std::{
    collections::BTreeSet,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::bail;

/// Numbers (`event.sequence`) that a receiver has taken, from any of its threads.
#[derive(Debug, Default)]
pub struct Arrivals {
    taken: Mutex<Taken>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Taken {
    numbers: BTreeSet<u64>,
    again: u64,
}

impl Arrivals {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a receiver is about to acknowledge.
    pub fn add(&self, numbers: impl IntoIterator<Item = u64>) {
        let mut taken = self.taken();
        for number in numbers {
            if !taken.numbers.insert(number) {
                taken.again += 1;
            }
        }
        self.changed.notify_all();
    }

    /// Every number, once.
    #[must_use]
    pub fn numbers(&self) -> BTreeSet<u64> {
        self.taken().numbers.clone()
    }

    /// How many different numbers there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.taken().numbers.len() as u64
    }

    /// How many records came a second time.
    #[must_use]
    pub fn again(&self) -> u64 {
        self.taken().again
    }

    /// Waits until there are `count` different numbers.
    ///
    /// # Errors
    /// There are fewer after `longest`.
    pub fn wait_for(&self, count: u64, longest: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + longest;
        let mut taken = self.taken();
        while (taken.numbers.len() as u64) < count {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("{} of {count} arrived", taken.numbers.len());
            }
            let waited = self.changed.wait_timeout(taken, left);
            taken = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }
}
