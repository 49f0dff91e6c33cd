use std::{fs::File, io, os::fd::AsFd};

use super::{Sink, SinkError, write_some};

/// Standard output.
#[derive(Debug)]
pub struct StdoutSink {
    // `std::io::Stdout` keeps a line back, and says so only at the next write.
    stdout: File,
}

impl StdoutSink {
    /// # Errors
    /// Standard output is closed.
    pub fn open() -> Result<Self, SinkError> {
        let stdout = io::stdout().as_fd().try_clone_to_owned();
        let stdout = stdout
            .map_err(|source| SinkError::Open {
                path: "/dev/stdout".into(),
                source,
            })?
            .into();
        Ok(Self { stdout })
    }
}

impl Sink for StdoutSink {
    fn name(&self) -> &str {
        "stdout"
    }

    fn write(&mut self, lines: &[u8]) -> Result<usize, SinkError> {
        write_some(&mut self.stdout, "stdout", lines)
    }

    fn reopen(&mut self) -> Result<bool, SinkError> {
        Ok(false)
    }
}
