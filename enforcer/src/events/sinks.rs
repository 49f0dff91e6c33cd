//! Where records go: one module for each kind of receiver.

use std::{io, path::PathBuf, time::Duration};

use super::batch::{Batch, Place};

mod filter;
mod http;
mod journald;
mod lines;
mod otlp;
mod spec;
mod splunk_hec;
mod syslog;
mod tls;
mod webhook;

pub use filter::Filter;
pub use journald::JournaldSink;
pub use lines::{FileOptions, LineSink};
pub use otlp::{OtlpGrpcSink, OtlpHttpSink};
pub use spec::{SinkSpec, SinkSpecError};
pub use splunk_hec::SplunkHecSink;
pub use syslog::SyslogSink;
pub use webhook::WebhookSink;

/// A receiver.
///
/// Each has a thread of its own and may wait there, though never for ever.
pub trait Sink: Send {
    /// Sends the records of a batch, in order. Those that were sent and are not certain to have
    /// arrived are settled later.
    ///
    /// # Errors
    /// How far it came and why not further. Unless the error is [`SinkError::Refused`], the records
    /// from there on are sent again, and those that are not settled too.
    fn send(&mut self, batch: &Batch) -> Result<(), Stopped>;

    /// Through which place everything that was sent has arrived, as far as can be known.
    ///
    /// # Errors
    /// The receiver was lost, and with it what is not settled.
    fn settled(&mut self) -> Result<Settled, SinkError> {
        Ok(Settled::All)
    }

    /// Nothing more will be sent: ends in good order, and settles what was sent.
    ///
    /// # Errors
    /// It is not certain that everything has arrived.
    fn finish(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    /// Opens the destination anew where it was moved away (log rotation).
    ///
    /// # Errors
    /// It cannot be opened; the sink goes on with the old one.
    fn reopen(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

/// How much of what was sent is certain to have arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// All of it.
    All,
    /// Everything up to and including this place. Ask again soon.
    Through(Place),
}

/// Where sending a batch ended before its end.
#[derive(Debug)]
pub struct Stopped {
    /// How many records of the batch were sent.
    pub sent: usize,
    /// Why no more.
    pub error: SinkError,
}

impl From<SinkError> for Stopped {
    fn from(error: SinkError) -> Self {
        Self { sent: 0, error }
    }
}

/// Why a sink did not take records.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// A file cannot be opened.
    #[error("open {path}: {source}", path = path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused the bytes, or the connection broke.
    #[error("write: {0}")]
    Write(#[source] io::Error),
    /// There is no connection to the receiver.
    #[error("connect: {0}")]
    Connect(#[source] io::Error),
    /// The peer is not who it should be, or does not let us in.
    #[error("TLS: {0}")]
    Tls(String),
    /// A certificate, key or token cannot be used.
    #[error("{path}: {problem}", path = path.display())]
    Credential {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The receiver answered that it cannot now.
    #[error("the receiver answers {status}: {text}")]
    Unavailable {
        /// HTTP status, from 100 on, or code of gRPC, below.
        status: u16,
        /// What it said.
        text: String,
        /// When it wants to be asked again.
        after: Option<Duration>,
    },
    /// The receiver will never take these records.
    #[error("the receiver refuses records ({status}): {text}")]
    Refused {
        /// HTTP status, from 100 on, or that of the protocol.
        status: u16,
        /// What it said.
        text: String,
    },
    /// The receiver took what was sent, but for some records, and will never take those.
    #[error("the receiver refuses {rejected} records of a batch: {text}")]
    Partial {
        /// How many; which ones it does not say.
        rejected: u64,
        /// What it said.
        text: String,
    },
    /// The receiver does not answer.
    #[error("no answer: {0}")]
    Silent(String),
    /// The receiver says what its protocol does not know.
    #[error("the answer makes no sense: {0}")]
    Protocol(String),
}

/// The kinds of failures, as the metric's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureCause {
    /// No space, or no quota, is left.
    Full,
    /// The reader of a pipe or the connection is gone.
    Closed,
    /// Not permitted, or the file system is read-only.
    Forbidden,
    /// The receiver is slow, and says so.
    Busy,
    /// There is nobody to connect to.
    Unreachable,
    /// TLS failed.
    Tls,
    /// The receiver refuses records for good.
    Refused,
    /// No answer in time.
    Silent,
    /// Anything else.
    Other,
}

impl FailureCause {
    /// Every cause with its label.
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::Full, "full"),
        (Self::Closed, "closed"),
        (Self::Forbidden, "forbidden"),
        (Self::Busy, "busy"),
        (Self::Unreachable, "unreachable"),
        (Self::Tls, "tls"),
        (Self::Refused, "refused"),
        (Self::Silent, "silent"),
        (Self::Other, "other"),
    ];
}

impl SinkError {
    /// What kind of failure it is.
    #[must_use]
    pub fn cause(&self) -> FailureCause {
        match self {
            Self::Open { source, .. } | Self::Write(source) => of_io(source),
            Self::Connect(_) => FailureCause::Unreachable,
            Self::Tls(_) => FailureCause::Tls,
            Self::Unavailable {
                // The last two are PERMISSION_DENIED and UNAUTHENTICATED.
                status: 400 | 401 | 403 | 7 | 16,
                ..
            }
            | Self::Credential { .. } => FailureCause::Forbidden,
            Self::Unavailable { .. } => FailureCause::Busy,
            Self::Refused { .. } | Self::Partial { .. } => FailureCause::Refused,
            Self::Silent(_) => FailureCause::Silent,
            Self::Protocol(_) => FailureCause::Other,
        }
    }

    /// When the receiver wants to be asked again.
    #[must_use]
    pub fn after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { after, .. } => *after,
            Self::Open { .. }
            | Self::Write(_)
            | Self::Connect(_)
            | Self::Tls(_)
            | Self::Credential { .. }
            | Self::Refused { .. }
            | Self::Partial { .. }
            | Self::Silent(_)
            | Self::Protocol(_) => None,
        }
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the standard library adds kinds of errors; unknown ones are `Other`"
)]
fn of_io(error: &io::Error) -> FailureCause {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            FailureCause::Full
        }
        io::ErrorKind::BrokenPipe
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::UnexpectedEof => FailureCause::Closed,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            FailureCause::Forbidden
        }
        io::ErrorKind::TimedOut => FailureCause::Silent,
        io::ErrorKind::WouldBlock => FailureCause::Busy,
        _ => FailureCause::Other,
    }
}
