//! A queue in memory: for sinks on this machine, and where there is no state directory.

use std::{collections::VecDeque, sync::Arc};

use super::{Level, Store};
use crate::events::{
    batch::{Batch, Item, Place},
    record::Severity,
};

/// Batches in the order in which they came.
#[derive(Debug)]
pub struct Memory {
    batches: VecDeque<Arc<Batch>>,
    first: Place,
    next: Place,
    level: Level,
}

impl Memory {
    /// An empty queue for `capacity` bytes.
    #[must_use]
    pub fn new(capacity: u64) -> Self {
        Self {
            batches: VecDeque::new(),
            first: Place(1),
            next: Place(1),
            level: Level {
                capacity,
                ..Level::default()
            },
        }
    }

    fn make_room(&mut self) {
        // One batch may always wait: what a sink has begun must not vanish under it.
        while self.level.bytes > self.level.capacity && self.batches.len() > 1 {
            let least = self
                .batches
                .iter()
                .skip(1)
                .flat_map(|batch| batch.items().map(|item| item.severity))
                .min();
            let Some(least) = least else { return };
            self.drop_oldest(least);
        }
    }

    /// Drops the records of a severity from the oldest batch that has any.
    fn drop_oldest(&mut self, least: Severity) {
        let has_any = |batch: &Arc<Batch>| batch.items().any(|item| item.severity == least);
        let Some(at) = self.batches.iter().skip(1).position(has_any) else {
            return;
        };
        let old = &mut self.batches[at + 1];
        let mut kept = Batch::default();
        for item in old.items() {
            if item.severity == least {
                self.level.records -= 1;
                self.level.bytes -= item.payload.len() as u64;
                self.level.crowded_out[least as usize] += 1;
            } else {
                kept.push(item);
            }
        }
        *old = Arc::new(kept);
        if old.is_empty() {
            self.batches.remove(at + 1);
        }
    }
}

impl Store for Memory {
    fn append(&mut self, mut batch: Batch) {
        if batch.is_empty() {
            return;
        }
        self.next = batch.number(self.next);
        self.level.records += batch.len() as u64;
        self.level.bytes += batch.bytes().len() as u64;
        self.batches.push_back(Arc::new(batch));
        self.make_room();
    }

    fn read(&mut self, from: Place, most_bytes: usize) -> Arc<Batch> {
        let mut waiting = self
            .batches
            .iter()
            .filter(|batch| batch.last() >= Some(from));
        let whole = |batch: &Batch| batch.items().next().is_some_and(|item| item.place >= from);
        let Some(first) = waiting.next() else {
            return Arc::default();
        };
        if whole(first) && (first.bytes().len() > most_bytes / 2 || waiting.next().is_none()) {
            // The usual case: nothing is copied.
            return Arc::clone(first);
        }
        let mut taken = Batch::default();
        let items = self.batches.iter().flat_map(|batch| batch.items());
        for item in items.filter(|item| item.place >= from) {
            if !taken.is_empty() && taken.bytes().len() + item.payload.len() > most_bytes {
                break;
            }
            taken.push(item);
        }
        Arc::new(taken)
    }

    fn release(&mut self, through: Place) {
        if through < self.first {
            return;
        }
        self.first = through.next();
        while let Some(oldest) = self.batches.front_mut() {
            let gone = |item: &Item<'_>| item.place <= through;
            let (count, bytes) = oldest
                .items()
                .take_while(gone)
                .fold((0, 0), |(count, bytes), item| {
                    (count + 1, bytes + item.payload.len())
                });
            self.level.records -= count as u64;
            self.level.bytes -= bytes as u64;
            if count < oldest.len() {
                if count > 0 {
                    *oldest = Arc::new(oldest.part(count, oldest.len()));
                }
                return;
            }
            self.batches.pop_front();
        }
    }

    fn first(&self) -> Place {
        self.first
    }

    fn next(&self) -> Place {
        self.next
    }

    fn level(&self) -> Level {
        self.level
    }
}
