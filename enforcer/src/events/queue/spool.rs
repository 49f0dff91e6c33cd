//! A queue on disk: what waits survives the daemon.
//!
//! A directory of *segments*, files of some MiB to which records are appended, and a file `released`
//! that says up to where they were delivered. A record that was delivered while the daemon died may
//! be delivered again; consumers know it by its number. Everything is written at once, so a killed
//! daemon loses nothing; what the last [`sync`](Store::sync) did not cover may go with the machine.

use std::{
    collections::VecDeque,
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Level, Store};
use crate::events::{
    batch::{Batch, Place},
    record::Severity,
};

mod frame;
mod segment;

use frame::Front;
use segment::Segment;

/// Bounds of the size of a segment: room is made by the segment.
const SEGMENT: std::ops::RangeInclusive<u64> = 64 << 10..=4 << 20;
/// How many segments a full spool has at least.
const SEGMENTS: u64 = 16;
/// Longest record that is looked for, bytes on disk.
const LOOK_AHEAD: usize = 1 << 20;

/// Why a spool cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("event spool {path}: {source}", path = path.display())]
pub struct SpoolError {
    path: PathBuf,
    source: io::Error,
}

/// A queue in a directory of its own.
#[derive(Debug)]
pub struct Spool {
    directory: PathBuf,
    segments: VecDeque<Segment>,
    released: File,
    first: Place,
    next: Place,
    /// Highest `event.sequence` that was ever stored here.
    last_sequence: u64,
    /// Records before this one are on their way to the sink: they are not crowded out.
    read: Place,
    /// Where a record begins in a segment: the one after the last that was read.
    cursor: Option<(Place, Place, u64)>,
    level: Level,
    unsynced: bool,
}

impl Spool {
    /// Opens or makes the spool in `directory`, for `capacity` bytes on disk.
    ///
    /// Damaged files are copied to `quarantine` below it, and what is sound in them is kept.
    ///
    /// # Errors
    /// The directory cannot be used.
    pub fn open(directory: &Path, capacity: u64) -> Result<Self, SpoolError> {
        Self::recover(directory, capacity).map_err(|source| SpoolError {
            path: directory.to_owned(),
            source,
        })
    }

    fn recover(directory: &Path, capacity: u64) -> io::Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
        let mut paths: Vec<PathBuf> = fs::read_dir(directory)?
            .map(|entry| Ok(entry?.path()))
            .collect::<io::Result<_>>()?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
        paths.sort();
        let released = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(directory.join("released"))?;
        let (through, last_sequence) = read_released(&released).unwrap_or_default();
        let mut spool = Self {
            directory: directory.to_owned(),
            segments: VecDeque::new(),
            first: through.next(),
            released,
            next: Place(1),
            last_sequence,
            read: Place(0),
            cursor: None,
            level: Level {
                capacity,
                ..Level::default()
            },
            unsynced: false,
        };
        let quarantine = directory.join("quarantine");
        for path in paths {
            let (segment, damage) = Segment::recover(&path, &quarantine)?;
            spool.level.damaged += damage.missing;
            spool.next = spool.next.max(segment.first);
            if let Some(last) = segment.last {
                spool.next = spool.next.max(last.next());
                spool.last_sequence = spool.last_sequence.max(segment.last_sequence);
            }
            spool.segments.push_back(segment);
        }
        spool.next = spool.next.max(spool.first);
        spool.drop_released();
        Ok(spool)
    }

    /// The highest `event.sequence` that was ever stored here.
    #[must_use]
    pub fn last_sequence(&self) -> u64 {
        self.last_sequence
    }

    /// Deletes segments with nothing left to deliver.
    fn drop_released(&mut self) {
        while let Some(oldest) = self.segments.front() {
            if oldest.last >= Some(self.first) {
                break;
            }
            // A file that stays is found again, and is released already.
            let _ = oldest.remove();
            self.segments.pop_front();
        }
        self.read = self.read.max(self.first);
    }

    fn on_disk(&self) -> u64 {
        self.segments.iter().map(|segment| segment.length).sum()
    }

    fn segment_size(&self) -> u64 {
        (self.level.capacity / SEGMENTS).clamp(*SEGMENT.start(), *SEGMENT.end())
    }

    fn write(&mut self, batch: &Batch) -> io::Result<()> {
        let full = self.segment_size();
        let first = batch.items().next().map_or(self.next, |item| item.place);
        if self.segments.back().is_none_or(|head| head.length >= full) {
            self.segments
                .push_back(Segment::create(&self.directory, first)?);
        }
        match self.segments.back_mut() {
            Some(head) => head.append(batch),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Drops the oldest of the least severe that nobody is reading. `newcomers` would rather be
    /// dropped than anything more severe: says `false` then, and when there is nothing to drop.
    fn make_room(&mut self, newcomers: Severity) -> bool {
        let read = self.read;
        let waiting = |segment: &Segment| segment.first >= read;
        let severities = || Severity::ALL.into_iter().take(newcomers as usize + 1);
        let found = severities().find_map(|severity| {
            let has_any =
                |segment: &Segment| waiting(segment) && segment.counts[severity as usize] > 0;
            Some((severity, self.segments.iter().position(has_any)?))
        });
        let Some((severity, at)) = found else {
            return false;
        };
        self.cursor = None;
        let segment = &mut self.segments[at];
        let dropped = if segment.counts.iter().sum::<u64>() == segment.counts[severity as usize] {
            let dropped = segment.counts[severity as usize];
            segment.remove().map(|()| {
                self.segments.remove(at);
                dropped
            })
        } else {
            segment.drop_all(severity)
        };
        match dropped {
            Ok(dropped) => {
                self.level.crowded_out[severity as usize] += dropped;
                true
            }
            Err(_) => false,
        }
    }

    /// Writes what fits. What does not, is lost from the least severe on.
    fn store(&mut self, mut batch: Batch) {
        let bytes: u64 = batch
            .items()
            .map(|item| frame::length(item.payload.len()))
            .sum();
        loop {
            let Some(worst) = batch.items().map(|item| item.severity).max() else {
                return;
            };
            let fits = self.on_disk() + bytes <= self.level.capacity;
            if fits && self.write(&batch).is_ok() {
                self.unsynced = true;
                return;
            }
            if self.make_room(worst) {
                continue;
            }
            let least = batch.items().map(|item| item.severity).min();
            let mut kept = Batch::default();
            for item in batch.items() {
                if Some(item.severity) == least {
                    self.level.crowded_out[item.severity as usize] += 1;
                } else {
                    kept.push(item);
                }
            }
            batch = kept;
        }
    }

    /// Records of one segment from `from` on; empty when it has none.
    fn read_segment(&mut self, at: usize, from: Place, most_bytes: usize) -> io::Result<Batch> {
        let segment = &self.segments[at];
        let mut offset = match self.cursor {
            Some((first, place, offset)) if first == segment.first && place <= from => offset,
            _ => 0,
        };
        let mut found = Batch::default();
        let mut most = most_bytes + LOOK_AHEAD;
        'blocks: while offset < segment.length {
            let bytes = segment.read(offset, most)?;
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                match frame::front(rest) {
                    Front::Record(item, length) => {
                        if item.place >= from {
                            if found.bytes().len() + item.payload.len() > most_bytes
                                && !found.is_empty()
                            {
                                break 'blocks;
                            }
                            found.push(item);
                        }
                        offset += length as u64;
                        rest = &rest[length..];
                    }
                    Front::Short if offset + (rest.len() as u64) < segment.length => {
                        if rest.len() == bytes.len() {
                            most *= 2;
                        }
                        continue 'blocks;
                    }
                    Front::Short | Front::Damaged => {
                        let skipped = frame::resume(rest);
                        self.level.damaged += 1;
                        offset += skipped as u64;
                        rest = &rest[skipped..];
                    }
                }
            }
        }
        self.cursor = found
            .last()
            .map(|last| (segment.first, last.next(), offset));
        Ok(found)
    }
}

impl Store for Spool {
    fn append(&mut self, mut batch: Batch) {
        self.next = batch.number(self.next);
        let last = batch.items().next_back().map(|item| item.sequence);
        self.last_sequence = self.last_sequence.max(last.unwrap_or_default());
        self.store(batch);
    }

    fn read(&mut self, from: Place, most_bytes: usize) -> Arc<Batch> {
        for at in 0..self.segments.len() {
            if self.segments[at].last < Some(from) {
                continue;
            }
            match self.read_segment(at, from, most_bytes) {
                Ok(batch) if batch.is_empty() => {}
                Ok(batch) => {
                    self.read = batch.last().map_or(self.read, Place::next);
                    return Arc::new(batch);
                }
                // A disk that does not give back what it took: later segments may be on sound blocks.
                Err(_) => {
                    let lost: u64 = self.segments[at].counts.iter().sum();
                    self.level.damaged += lost;
                    self.segments[at].last = None;
                }
            }
        }
        Arc::default()
    }

    fn release(&mut self, through: Place) {
        if through < self.first {
            return;
        }
        self.first = through.next();
        // Were it not written, records would be delivered again, which consumers know how to take.
        let _ = write_released(&self.released, through, self.last_sequence);
        self.drop_released();
    }

    fn rewind(&mut self) -> Place {
        self.read = self.first;
        self.first
    }

    fn next(&self) -> Place {
        self.next
    }

    fn sync(&mut self) {
        if std::mem::take(&mut self.unsynced) {
            // A disk that cannot sync cannot be helped; the records are still delivered from it.
            for segment in self.segments.iter().rev().take(2) {
                let _ = segment.sync();
            }
            let _ = self.released.sync_data();
        }
    }

    fn level(&self) -> Level {
        let stored: u64 = self
            .segments
            .iter()
            .map(|segment| segment.counts.iter().sum::<u64>())
            .sum();
        let front = self.segments.front();
        let front = front.map_or(0, |oldest| oldest.count_before(self.first));
        Level {
            records: stored - front,
            bytes: self.on_disk(),
            ..self.level
        }
    }
}

/// Twenty bytes: the place, the highest sequence number, and the checksum of both.
fn write_released(file: &File, place: Place, sequence: u64) -> io::Result<()> {
    let mut bytes = [0; 20];
    bytes[..8].copy_from_slice(&place.0.to_le_bytes());
    bytes[8..16].copy_from_slice(&sequence.to_le_bytes());
    let sum = crc32fast::hash(&bytes[..16]);
    bytes[16..].copy_from_slice(&sum.to_le_bytes());
    file.write_all_at(&bytes, 0)
}

fn read_released(file: &File) -> Option<(Place, u64)> {
    let mut bytes = [0; 20];
    file.read_exact_at(&mut bytes, 0).ok()?;
    let (numbers, sum) = bytes.split_first_chunk::<16>()?;
    if crc32fast::hash(numbers).to_le_bytes() != sum {
        return None;
    }
    let (place, sequence) = numbers.split_first_chunk::<8>()?;
    let sequence = u64::from_le_bytes(sequence.try_into().ok()?);
    Some((Place(u64::from_le_bytes(*place)), sequence))
}

#[cfg(test)]
mod tests;
