//! Lines to a file, a pipe or standard output.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::{
        fd::AsFd as _,
        unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _},
    },
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use memchr::memchr_iter;

use super::{Sink, SinkError, Stopped};
use crate::events::batch::Batch;

/// Owner writes, group reads, nobody else: records name people's processes.
const MODE: u32 = 0o640;

/// When a file is put aside, and when its bytes are certain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileOptions {
    /// Put the file aside when it would grow beyond this many bytes.
    pub most_bytes: Option<u64>,
    /// Put the file aside when it is older.
    pub most_age: Option<Duration>,
    /// How many files that were put aside are kept.
    pub keep: u32,
    /// Have each batch on the disk before it counts as delivered.
    pub sync: bool,
}

/// Something that lines are appended to.
#[derive(Debug)]
pub struct LineSink {
    file: File,
    /// `None` for standard output.
    path: Option<PathBuf>,
    /// Of a regular file.
    regular: Option<Regular>,
    options: FileOptions,
    /// The end of a line that a pipe took in part.
    owed: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Regular {
    length: u64,
    opened: Instant,
}

impl LineSink {
    /// Standard output.
    ///
    /// # Errors
    /// It is closed.
    pub fn stdout() -> Result<Self, SinkError> {
        // `std::io::Stdout` keeps a line back, and says so only at the next write.
        let stdout = io::stdout().as_fd().try_clone_to_owned();
        let file = stdout.map_err(|source| SinkError::Open {
            path: "/dev/stdout".into(),
            source,
        })?;
        Ok(Self {
            file: file.into(),
            path: None,
            regular: None,
            options: FileOptions::default(),
            owed: Vec::new(),
        })
    }

    /// Opens or creates the file (mode 0640 less the umask).
    ///
    /// A line that a crash tore is closed, so that it does not swallow the next one.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn file(path: &Path, options: FileOptions) -> Result<Self, SinkError> {
        let (file, regular) = open(path)?;
        Ok(Self {
            file,
            path: Some(path.to_owned()),
            regular,
            options,
            owed: Vec::new(),
        })
    }

    fn write(&mut self, lines: &[u8]) -> (usize, io::Result<()>) {
        let mut done = 0;
        while done < lines.len() {
            match self.file.write(&lines[done..]) {
                Ok(0) => return (done, Err(io::ErrorKind::WriteZero.into())),
                Ok(taken) => done += taken,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (done, Err(error)),
            }
        }
        (done, Ok(()))
    }

    fn pay(&mut self) -> io::Result<()> {
        let owed = std::mem::take(&mut self.owed);
        let (done, outcome) = self.write(&owed);
        if outcome.is_err() {
            self.owed = owed;
            self.owed.drain(..done);
        }
        outcome
    }

    /// Takes a line back that a full disk took in part; a pipe gets its end later.
    fn mend(&mut self, lines: &[u8], done: usize) -> usize {
        let whole = memchr::memrchr(b'\n', &lines[..done]).map_or(0, |last| last + 1);
        let count = memchr_iter(b'\n', &lines[..whole]).count();
        if done == whole {
            return count;
        }
        if let Some(regular) = self.regular
            && self.file.set_len(regular.length + whole as u64).is_ok()
        {
            return count;
        }
        let end = memchr::memchr(b'\n', &lines[done..]).map_or(lines.len(), |end| done + end + 1);
        self.owed = lines[done..end].to_vec();
        count + 1
    }

    /// Puts the file aside if it is its time.
    fn rotate(&mut self, coming: usize) -> Result<(), SinkError> {
        let (Some(path), Some(regular)) = (&self.path, self.regular) else {
            return Ok(());
        };
        let large = self
            .options
            .most_bytes
            .is_some_and(|most| regular.length > 0 && regular.length + coming as u64 > most);
        let old = self
            .options
            .most_age
            .is_some_and(|most| regular.length > 0 && regular.opened.elapsed() > most);
        if !large && !old {
            return Ok(());
        }
        let aside = |number: u32| {
            let mut name = path.clone().into_os_string();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        };
        let failed = |source| SinkError::Open {
            path: path.clone(),
            source,
        };
        // The oldest is overwritten by the one before it.
        for number in (1..self.options.keep).rev() {
            if aside(number).exists() {
                std::fs::rename(aside(number), aside(number + 1)).map_err(failed)?;
            }
        }
        if self.options.keep == 0 {
            std::fs::remove_file(path).map_err(failed)?;
        } else {
            std::fs::rename(path, aside(1)).map_err(failed)?;
        }
        (self.file, self.regular) = open(path)?;
        Ok(())
    }
}

fn open(path: &Path) -> Result<(File, Option<Regular>), SinkError> {
    let open = || {
        let special = std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file());
        let mut options = OpenOptions::new();
        options.append(true).create(!special).mode(MODE);
        if special {
            return Ok((options.open(path)?, None));
        }
        let mut file = options.read(true).open(path)?;
        close_torn_line(&mut file)?;
        let regular = Regular {
            length: file.metadata()?.len(),
            opened: Instant::now(),
        };
        Ok((file, Some(regular)))
    };
    open().map_err(|source| SinkError::Open {
        path: path.to_owned(),
        source,
    })
}

fn close_torn_line(file: &mut File) -> io::Result<()> {
    if file.metadata()?.len() == 0 {
        return Ok(());
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last == *b"\n" {
        return Ok(());
    }
    file.write_all(b"\n")
}

impl Sink for LineSink {
    fn send(&mut self, batch: &Batch) -> Result<(), Stopped> {
        self.rotate(batch.bytes().len())?;
        self.pay().map_err(SinkError::Write)?;
        let (done, outcome) = self.write(batch.bytes());
        if let Err(error) = outcome {
            let sent = self.mend(batch.bytes(), done);
            return Err(Stopped {
                sent,
                error: SinkError::Write(error),
            });
        }
        if let Some(regular) = &mut self.regular {
            regular.length += done as u64;
        }
        if self.options.sync {
            self.file.sync_data().map_err(SinkError::Write)?;
        }
        Ok(())
    }

    fn reopen(&mut self) -> Result<(), SinkError> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let here = |metadata: &std::fs::Metadata| (metadata.dev(), metadata.ino());
        let same = match (std::fs::metadata(path), self.file.metadata()) {
            (Ok(named), Ok(opened)) => {
                here(&named) == here(&opened) || opened.file_type().is_fifo()
            }
            _ => false,
        };
        if !same {
            (self.file, self.regular) = open(path)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
