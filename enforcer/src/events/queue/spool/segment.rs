//! One file of a spool.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use super::frame::{self, Front};
use crate::events::{
    batch::{Batch, Item, Place},
    record::Severity,
};

/// Records name people's processes.
const MODE: u32 = 0o600;

/// Records in a file, with what is in it kept in mind.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    file: File,
    /// Place of the first record that it was made for.
    pub(super) first: Place,
    /// Place of the last record in it.
    pub(super) last: Option<Place>,
    /// Its `event.sequence`.
    pub(super) last_sequence: u64,
    pub(super) length: u64,
    /// How many records of each severity.
    pub(super) counts: [u64; 4],
}

/// What was found in a file that was not as it had been written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Damage {
    /// Runs of bytes that are no records.
    pub(super) runs: u64,
    /// Records that are missing around them.
    pub(super) missing: u64,
}

impl Segment {
    pub(super) fn create(directory: &Path, first: Place) -> io::Result<Self> {
        let path = directory.join(format!("{:020}.seg", first.0));
        let file = options().create_new(true).open(&path)?;
        Ok(Self {
            path,
            file,
            first,
            last: None,
            last_sequence: 0,
            length: 0,
            counts: [0; 4],
        })
    }

    /// Reads a file back. What is damaged is left out, and the file as it was goes to `quarantine`.
    pub(super) fn recover(path: &Path, quarantine: &Path) -> io::Result<(Self, Damage)> {
        let first = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse().ok())
            .map(Place)
            .ok_or_else(|| io::Error::other("its name is not a number"))?;
        let bytes = std::fs::read(path)?;
        let mut segment = Self {
            path: path.to_owned(),
            file: options().open(path)?,
            first,
            last: None,
            last_sequence: 0,
            length: bytes.len() as u64,
            counts: [0; 4],
        };
        let (whole, damage) = records(&bytes);
        for item in whole.items() {
            segment.note(item);
        }
        if damage != Damage::default() {
            std::fs::create_dir_all(quarantine)?;
            std::fs::copy(path, quarantine.join(path.file_name().unwrap_or_default()))?;
            segment.rewrite(&whole)?;
        }
        Ok((segment, damage))
    }

    fn note(&mut self, item: Item<'_>) {
        self.counts[item.severity as usize] += 1;
        self.last = Some(item.place);
        self.last_sequence = item.sequence;
    }

    /// Adds records, all or none.
    pub(super) fn append(&mut self, batch: &Batch) -> io::Result<()> {
        let mut frames = Vec::with_capacity(batch.bytes().len() + batch.len() * 32);
        batch
            .items()
            .for_each(|item| frame::write(&mut frames, item));
        if let Err(error) = self.file.write_all_at(&frames, self.length) {
            // What was written of them is cut off again; if that fails too, the next records are
            // written over it.
            let _ = self.file.set_len(self.length);
            return Err(error);
        }
        self.length += frames.len() as u64;
        batch.items().for_each(|item| self.note(item));
        Ok(())
    }

    /// Up to `most` bytes from `offset` on.
    pub(super) fn read(&self, offset: u64, most: usize) -> io::Result<Vec<u8>> {
        let left = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(most);
        let mut bytes = vec![0; most.min(left)];
        self.file.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    /// How many records are before `place`.
    pub(super) fn count_before(&self, place: Place) -> u64 {
        let all: u64 = self.counts.iter().sum();
        let passed = place.0.saturating_sub(self.first.0).min(all);
        let places = self
            .last
            .map_or(0, |last| last.next().0.saturating_sub(self.first.0));
        if places == all {
            return passed;
        }
        // Some were dropped, and only the file knows which.
        match self.read(0, usize::MAX) {
            Ok(bytes) => {
                let (whole, _) = records(&bytes);
                whole.items().take_while(|item| item.place < place).count() as u64
            }
            Err(_) => passed,
        }
    }

    /// Drops the records of a severity; says how many.
    pub(super) fn drop_all(&mut self, severity: Severity) -> io::Result<u64> {
        let before = self.counts[severity as usize];
        let (all, _) = records(&self.read(0, usize::MAX)?);
        let mut kept = Batch::default();
        all.items()
            .filter(|item| item.severity != severity)
            .for_each(|item| kept.push(item));
        self.rewrite(&kept)?;
        Ok(before)
    }

    /// In place: a full disk has no room for a second file.
    fn rewrite(&mut self, records: &Batch) -> io::Result<()> {
        let mut frames = Vec::new();
        (self.counts, self.last) = ([0; 4], None);
        for item in records.items() {
            frame::write(&mut frames, item);
            self.note(item);
        }
        self.file.write_all_at(&frames, 0)?;
        self.length = frames.len() as u64;
        self.file.set_len(self.length)
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    pub(super) fn remove(&self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(MODE);
    options
}

/// The records in `bytes`, in order, each once, and what is wrong with the rest.
fn records(bytes: &[u8]) -> (Batch, Damage) {
    let mut found = Batch::default();
    let mut damage = Damage::default();
    let mut rest = bytes;
    let mut sound = true;
    while !rest.is_empty() {
        match frame::front(rest) {
            Front::Record(item, length) => {
                let expected = found.last().map(Place::next);
                // A rewriting that was torn leaves records twice.
                if expected.is_none_or(|expected| item.place >= expected) {
                    if !sound && let Some(expected) = expected {
                        damage.missing += item.place.0 - expected.0;
                    }
                    found.push(item);
                }
                sound = true;
                rest = &rest[length..];
            }
            Front::Short | Front::Damaged => {
                damage.runs += u64::from(sound);
                sound = false;
                rest = &rest[frame::resume(rest)..];
            }
        }
    }
    if damage.runs > 0 {
        // At the end nothing tells how many there were.
        damage.missing = damage.missing.max(1);
    }
    (found, damage)
}
