//! What became of an attempt.

use std::{
    io::{self, ErrorKind},
    time::Duration,
};

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use super::attempt::Attempt;

/// One line of the probe's output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// First word of the attempt.
    pub kind: String,
    /// The rest of it.
    pub to: String,
    /// A server is listening; its outcome follows on another line.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ready: bool,
    /// Every system call up to and including the sending succeeded.
    pub ok: bool,
    /// The step that failed.
    pub step: Option<Step>,
    /// Its error number.
    pub errno: Option<i32>,
    /// The same by name: `EPERM`.
    pub errno_name: Option<String>,
    /// The other side answered.
    pub reply: bool,
    /// Milliseconds that it took.
    pub ms: u64,
}

/// The part of an attempt that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Making or setting up a socket: this kernel or this user has no such way out.
    Socket,
    /// Connecting.
    Connect,
    /// Sending.
    Send,
    /// Waiting for a client.
    Accept,
}

/// A failed step.
#[derive(Debug)]
pub struct Failure {
    step: Step,
    errno: Errno,
}

impl Step {
    /// For `map_err`.
    pub fn failed<E: Into<io::Error>>(self) -> impl Fn(E) -> Failure {
        move |error| Failure {
            step: self,
            errno: errno(&error.into()),
        }
    }
}

fn errno(error: &io::Error) -> Errno {
    match (error.raw_os_error(), error.kind()) {
        (Some(number), _) => Errno::from_raw(number),
        (None, ErrorKind::TimedOut) => Errno::ETIMEDOUT,
        // An error that no system call made.
        (None, _) => Errno::EINVAL,
    }
}

impl Outcome {
    pub(super) fn new(attempt: &Attempt, result: Result<bool, Failure>, took: Duration) -> Self {
        let (kind, to) = attempt.words();
        let failure = result.as_ref().err();
        let errno = failure.map(|failure| failure.errno);
        Self {
            kind,
            to,
            ready: false,
            ok: result.is_ok(),
            step: failure.map(|failure| failure.step),
            errno: errno.map(|errno| errno as i32),
            errno_name: errno.map(|errno| format!("{errno:?}")),
            reply: result.unwrap_or(false),
            ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        }
    }

    pub(super) fn ready(attempt: &Attempt) -> Self {
        Self {
            ready: true,
            ..Self::new(attempt, Ok(false), Duration::ZERO)
        }
    }
}
