use memchr::{memchr, memchr_iter, memrchr};

use crate::events::sinks::{FailureCause, Sink, SinkError};

/// How a sink does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SinkStatus<'a> {
    /// Its name.
    pub sink: &'a str,
    /// Records that it took.
    pub delivered: u64,
    /// Records that wait for it.
    pub waiting: u64,
    /// Records it never got, because too many waited.
    pub lost: u64,
    /// Writes that failed and were tried again, by cause, in the order of [`FailureCause::ALL`].
    pub failures: [u64; FailureCause::ALL.len()],
}

/// A sink and the lines it has not taken yet.
pub(super) struct Outlet {
    sink: Box<dyn Sink>,
    backlog: Vec<u8>,
    /// How much of the first line in the backlog was taken.
    begun: usize,
    backlog_bytes: usize,
    delivered: u64,
    waiting: u64,
    lost: u64,
    failures: [u64; FailureCause::ALL.len()],
}

impl Outlet {
    pub(super) fn new(sink: Box<dyn Sink>, backlog_bytes: usize) -> Self {
        Self {
            sink,
            backlog: Vec::new(),
            begun: 0,
            backlog_bytes,
            delivered: 0,
            waiting: 0,
            lost: 0,
            failures: [0; FailureCause::ALL.len()],
        }
    }

    /// Offers what waits, then the `count` lines of `batch`; keeps what is not taken.
    pub(super) fn offer(&mut self, batch: &[u8], count: u64) -> Result<(), SinkError> {
        let mut backlog = std::mem::take(&mut self.backlog);
        self.waiting += count;
        let result = if backlog.is_empty() {
            // The usual case: nothing is copied.
            let (done, result) = self.write(batch);
            self.keep(&mut backlog, batch.get(done..).unwrap_or_default());
            result
        } else {
            let (done, result) = self.write(&backlog);
            backlog.drain(..done);
            match result {
                Ok(()) => {
                    let (done, result) = self.write(batch);
                    self.keep(&mut backlog, batch.get(done..).unwrap_or_default());
                    result
                }
                Err(error) => {
                    self.keep(&mut backlog, batch);
                    Err(error)
                }
            }
        };
        self.backlog = backlog;
        result
    }

    /// Writes until all is taken or the sink fails. Says how many bytes of whole lines were taken.
    fn write(&mut self, lines: &[u8]) -> (usize, Result<(), SinkError>) {
        let mut done = 0;
        while let Some(rest) = lines
            .get(done + self.begun..)
            .filter(|rest| !rest.is_empty())
        {
            let taken = match self.sink.write(rest) {
                Ok(taken) => rest.get(..taken).unwrap_or(rest),
                Err(error) => {
                    self.failures[error.cause() as usize] += 1;
                    return (done, Err(error));
                }
            };
            match memrchr(b'\n', taken) {
                Some(last) => {
                    let count = lines_in(taken);
                    self.delivered += count;
                    self.waiting -= count;
                    done += self.begun + last + 1;
                    self.begun = taken.len() - last - 1;
                }
                None => self.begun += taken.len(),
            }
        }
        (done, Ok(()))
    }

    /// Adds whole lines to the backlog; those that find no room are lost. A line that was begun is
    /// always kept: its end is owed.
    fn keep(&mut self, backlog: &mut Vec<u8>, lines: &[u8]) {
        let room = self.backlog_bytes.saturating_sub(backlog.len());
        let fits = if lines.len() <= room {
            lines.len()
        } else {
            let owed = if backlog.is_empty() { self.begun } else { 0 };
            let whole = |end: usize| {
                let head = lines.get(..end).unwrap_or_default();
                memrchr(b'\n', head).map_or(0, |last| last + 1)
            };
            match whole(room) {
                0 if owed > 0 => memchr(b'\n', lines).map_or(lines.len(), |end| end + 1),
                end => end,
            }
        };
        let (kept, lost) = lines.split_at(fits);
        backlog.extend_from_slice(kept);
        let lost = lines_in(lost);
        self.lost += lost;
        self.waiting -= lost;
    }

    pub(super) fn reopen(&mut self) -> Result<(), SinkError> {
        let anew = self.sink.reopen().inspect_err(|error| {
            self.failures[error.cause() as usize] += 1;
        })?;
        if anew {
            self.begun = 0;
        }
        Ok(())
    }

    pub(super) fn status(&self) -> SinkStatus<'_> {
        SinkStatus {
            sink: self.sink.name(),
            delivered: self.delivered,
            waiting: self.waiting,
            lost: self.lost,
            failures: self.failures,
        }
    }
}

fn lines_in(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}
