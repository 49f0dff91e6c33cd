//! Where lines go.

use std::{io, path::PathBuf};

mod file;
mod spec;
mod stdout;

pub use file::FileSink;
pub use spec::{SinkSpec, SinkSpecError};
pub use stdout::StdoutSink;

/// A place that takes lines.
///
/// A sink keeps nothing back: what it has taken is written. Bytes that it did not take are offered
/// again, from the same place on, so a line may be taken in several parts.
pub trait Sink: Send {
    /// Name in messages and metrics.
    fn name(&self) -> &str;

    /// Takes bytes from the front of `lines`, which is not empty, and says how many; never 0.
    ///
    /// # Errors
    /// Nothing was taken.
    fn write(&mut self, lines: &[u8]) -> Result<usize, SinkError>;

    /// Begins anew where the destination was moved away (log rotation). Says whether it did: the
    /// line that was begun must then be given again from its start.
    ///
    /// # Errors
    /// The new destination cannot be opened; the sink goes on with the old one.
    fn reopen(&mut self) -> Result<bool, SinkError>;
}

/// Why a sink took nothing.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The file cannot be opened.
    #[error("open event file {path}: {source}", path = path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused the bytes.
    #[error("write events to {sink}: {source}")]
    Write {
        /// Name of the sink.
        sink: String,
        /// What the system said.
        source: io::Error,
    },
}

/// The kinds of failures, as the metric's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureCause {
    /// No space, or no quota, is left.
    Full,
    /// The reader of a pipe is gone.
    Closed,
    /// Not permitted, or the file system is read-only.
    Forbidden,
    /// The reader is slow and the pipe does not wait.
    Busy,
    /// Anything else that the system says.
    Other,
}

impl FailureCause {
    /// Every cause with its label.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Full, "full"),
        (Self::Closed, "closed"),
        (Self::Forbidden, "forbidden"),
        (Self::Busy, "busy"),
        (Self::Other, "other"),
    ];
}

impl SinkError {
    /// What kind of failure it is.
    #[must_use]
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the standard library adds kinds of errors; unknown ones are `Other`"
    )]
    pub fn cause(&self) -> FailureCause {
        let (Self::Open { source, .. } | Self::Write { source, .. }) = self;
        match source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => FailureCause::Full,
            io::ErrorKind::BrokenPipe => FailureCause::Closed,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                FailureCause::Forbidden
            }
            io::ErrorKind::WouldBlock => FailureCause::Busy,
            _ => FailureCause::Other,
        }
    }
}

/// One `write` to something that takes bytes.
fn write_some(out: &mut impl io::Write, sink: &str, lines: &[u8]) -> Result<usize, SinkError> {
    loop {
        let source = match out.write(lines) {
            Ok(0) => io::ErrorKind::WriteZero.into(),
            Ok(taken) => return Ok(taken),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => error,
        };
        return Err(SinkError::Write {
            sink: sink.to_owned(),
            source,
        });
    }
}
