use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::{Sink, SinkError, write_some};

/// Owner writes, group reads, nobody else: records name people's processes.
const MODE: u32 = 0o640;

/// A file that is appended to.
#[derive(Debug)]
pub struct FileSink {
    path: PathBuf,
    name: String,
    file: File,
}

impl FileSink {
    /// Opens or creates the file (mode 0640 less the umask).
    ///
    /// A line that a crash tore is closed, so that it does not swallow the next one.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(path: &Path) -> Result<Self, SinkError> {
        let name = path.display().to_string();
        let file = open(path)?;
        Ok(Self {
            path: path.to_owned(),
            name,
            file,
        })
    }
}

fn open(path: &Path) -> Result<File, SinkError> {
    let open = || {
        let special = std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file());
        let mut options = OpenOptions::new();
        options.append(true).create(!special).mode(MODE);
        if special {
            return options.open(path);
        }
        let mut file = options.read(true).open(path)?;
        close_torn_line(&mut file)?;
        Ok(file)
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
    io::Write::write_all(file, b"\n")
}

impl Sink for FileSink {
    fn name(&self) -> &str {
        &self.name
    }

    fn write(&mut self, lines: &[u8]) -> Result<usize, SinkError> {
        write_some(&mut self.file, &self.name, lines)
    }

    fn reopen(&mut self) -> Result<bool, SinkError> {
        let here = |metadata: &std::fs::Metadata| (metadata.dev(), metadata.ino());
        let same = match (std::fs::metadata(&self.path), self.file.metadata()) {
            (Ok(named), Ok(opened)) => here(&named) == here(&opened),
            _ => false,
        };
        if !same {
            self.file = open(&self.path)?;
        }
        Ok(!same)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, path::Path};

    use super::FileSink;
    use crate::events::sinks::{FailureCause, Sink};

    #[test]
    fn appends_and_keeps_others_out() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("events");
        for line in ["one\n", "two\n"] {
            let mut sink = FileSink::open(&path).expect("opens");
            assert_eq!(sink.write(line.as_bytes()).expect("writes"), line.len());
        }
        assert_eq!(fs::read_to_string(&path).expect("reads"), "one\ntwo\n");
        let mode = fs::metadata(&path).expect("exists").permissions().mode();
        assert_eq!(mode & 0o137, 0, "{mode:o}");
    }

    #[test]
    fn a_torn_line_is_closed() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("events");
        fs::write(&path, "{\"torn\":").expect("writes");
        FileSink::open(&path)
            .expect("opens")
            .write(b"{}\n")
            .expect("writes");
        assert_eq!(
            fs::read_to_string(&path).expect("reads"),
            "{\"torn\":\n{}\n"
        );
    }

    #[test]
    fn follows_a_rotation_and_only_that() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("events");
        let mut sink = FileSink::open(&path).expect("opens");
        assert!(!sink.reopen().expect("opens"));
        fs::rename(&path, directory.path().join("events.1")).expect("renames");
        assert!(sink.reopen().expect("opens"));
        sink.write(b"new\n").expect("writes");
        assert_eq!(fs::read_to_string(&path).expect("reads"), "new\n");
    }

    #[test]
    fn a_rotation_into_nowhere_keeps_the_old_file() {
        let directory = tempfile::tempdir().expect("directory");
        let folder = directory.path().join("logs");
        fs::create_dir(&folder).expect("creates");
        let mut sink = FileSink::open(&folder.join("events")).expect("opens");
        let moved = directory.path().join("moved");
        fs::rename(&folder, &moved).expect("renames");
        assert!(sink.reopen().is_err());
        sink.write(b"kept\n").expect("writes");
        assert_eq!(
            fs::read_to_string(moved.join("events")).expect("reads"),
            "kept\n"
        );
    }

    #[test]
    fn says_what_is_wrong() {
        let error = FileSink::open(Path::new("/nonexistent/events")).expect_err("no directory");
        assert!(
            error
                .to_string()
                .starts_with("open event file /nonexistent/events: "),
            "{error}"
        );
        let mut full = FileSink::open(Path::new("/dev/full")).expect("opens");
        let error = full.write(b"x\n").expect_err("no space");
        assert_eq!(error.cause(), FailureCause::Full);
    }
}
