//! The numbers of records.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
};

/// Numbers from 1 on without gaps, over all runs that keep them in one file.
///
/// The numbers go on where the last run ended, however it ended. They begin anew, as another
/// *stream*, after the machine was booted: what was not yet on the disk when it went down is not
/// known.
#[derive(Debug)]
pub struct Sequence {
    stream: String,
    last: u64,
    /// Whether it goes on from an earlier run.
    resumed: bool,
    file: Option<File>,
}

/// Length of a boot id (UUID) as text.
const BOOT_ID: usize = 36;

impl Sequence {
    /// Numbers of one run, named `stream`.
    #[must_use]
    pub fn of_run(stream: &str) -> Self {
        Self {
            stream: stream.to_owned(),
            last: 0,
            resumed: false,
            file: None,
        }
    }

    /// Numbers that go on from the last run of this boot. `boot` is the boot id and names the stream.
    ///
    /// # Errors
    /// The file cannot be opened or read.
    pub fn kept(path: &Path, boot: &str) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        let text = std::fs::read(path)?;
        let text = String::from_utf8_lossy(&text);
        let last = text
            .split_once(' ')
            .filter(|(of, _)| *of == boot && boot.len() == BOOT_ID)
            .and_then(|(_, last)| last.trim().parse().ok());
        let sequence = Self {
            stream: boot.to_owned(),
            last: last.unwrap_or(0),
            resumed: last.is_some(),
            file: Some(file),
        };
        sequence.save();
        Ok(sequence)
    }

    /// The name of the stream that the numbers belong to.
    #[must_use]
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// The last number; 0 before the first.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The next number.
    pub(super) fn advance(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Goes on behind a number that was given and not remembered: a spool has it, and the daemon was
    /// killed then.
    pub(super) fn pass(&mut self, given: u64) {
        if self.resumed {
            self.last = self.last.max(given);
        }
    }

    /// Remembers the last number.
    pub(super) fn save(&self) {
        if let Some(file) = &self.file {
            let text = format!("{} {:020}\n", self.stream, self.last);
            // A full disk: the file has its length, so this needs no new block.
            let _ = file.write_all_at(text.as_bytes(), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Sequence;

    const BOOT: &str = "6f9e7a3c-0000-4000-8000-000000000001";
    const NEXT_BOOT: &str = "6f9e7a3c-0000-4000-8000-000000000002";

    #[test]
    fn goes_on_in_the_same_boot_and_anew_in_the_next() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("sequence");
        let mut first = Sequence::kept(&path, BOOT).expect("a file");
        assert_eq!((first.advance(), first.advance()), (1, 2));
        first.save();
        // What was not saved was given to nobody.
        first.advance();
        drop(first);
        let mut second = Sequence::kept(&path, BOOT).expect("a file");
        assert_eq!(second.advance(), 3);
        second.save();
        let mut booted = Sequence::kept(&path, NEXT_BOOT).expect("a file");
        assert_eq!(booted.advance(), 1);
        assert_eq!(booted.stream(), NEXT_BOOT);
    }

    #[test]
    fn a_damaged_file_begins_anew() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("sequence");
        std::fs::write(&path, b"\xff\x00 x").expect("writes");
        assert_eq!(Sequence::kept(&path, BOOT).expect("a file").last(), 0);
    }
}
