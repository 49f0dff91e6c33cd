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
    /// Records before this one are on their way to the sink: they are not crowded out.
    read: Place,
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
            read: Place(1),
            level: Level {
                capacity,
                ..Level::default()
            },
        }
    }

    fn make_room(&mut self) {
        // One batch may always wait, and what a sink has begun must not vanish under it.
        let read = self.read;
        let begun = self.batches.iter().take_while(|it| it.first() < Some(read));
        let spared = begun.count().max(1);
        while self.level.bytes > self.level.capacity {
            let least = self
                .batches
                .iter()
                .skip(spared)
                .flat_map(|batch| batch.items().map(|item| item.severity))
                .min();
            let Some(least) = least else { return };
            self.drop_oldest(spared, least);
        }
    }

    /// Drops the records of a severity from the oldest batch that has any, after the first `spared`.
    fn drop_oldest(&mut self, spared: usize, least: Severity) {
        let has_any = |batch: &Arc<Batch>| batch.items().any(|item| item.severity == least);
        let Some(at) = self.batches.iter().skip(spared).position(has_any) else {
            return;
        };
        let old = &mut self.batches[at + spared];
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
            self.batches.remove(at + spared);
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
        let read = |batch: &Batch, before: Place| batch.last().map_or(before, Place::next);
        if whole(first) && (first.bytes().len() > most_bytes / 2 || waiting.next().is_none()) {
            // The usual case: nothing is copied.
            self.read = read(first, self.read);
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
        self.read = read(&taken, self.read);
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

    fn rewind(&mut self) -> Place {
        self.read = self.first;
        self.first
    }

    fn next(&self) -> Place {
        self.next
    }

    fn level(&self) -> Level {
        self.level
    }
}

#[cfg(test)]
mod tests {
    use super::{Batch, Item, Level, Memory, Place, Severity, Store};

    fn batch(count: u64) -> Batch {
        let mut batch = Batch::default();
        for sequence in 0..count {
            batch.push(Item {
                place: Place(0),
                sequence,
                severity: Severity::Low,
                at_ns: 0,
                payload: &[0; 100],
            });
        }
        batch
    }

    #[test]
    fn what_is_on_its_way_is_not_crowded_out() {
        let mut memory = Memory::new(1000);
        memory.append(batch(2));
        memory.append(batch(8));
        let read = memory.read(Place(1), 1 << 20);
        assert_eq!(read.len(), 10);
        let waiting_and_lost = |memory: &Memory| {
            let Level {
                records,
                crowded_out,
                ..
            } = memory.level();
            (records, crowded_out[Severity::Low as usize])
        };
        memory.append(batch(5));
        assert_eq!(waiting_and_lost(&memory), (10, 5));
        memory.rewind();
        // Now the oldest go, but for the first batch.
        memory.append(batch(3));
        assert_eq!(waiting_and_lost(&memory), (5, 13));
        memory.release(Place(18));
        assert_eq!((memory.level.records, memory.level.bytes), (0, 0));
    }
}
