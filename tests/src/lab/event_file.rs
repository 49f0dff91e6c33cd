//! The file that events are written to.

use std::{
    fs, io,
    os::fd::AsFd,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::inotify::{AddWatchFlags, InitFlags, Inotify},
};
use serde_json::Value;

/// One event a line, written by somebody else.
#[derive(Clone, Debug)]
pub struct EventFile(PathBuf);

impl EventFile {
    /// The file does not have to exist yet; its directory does.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The events so far.
    ///
    /// # Errors
    /// A line is not JSON.
    pub fn read(&self) -> anyhow::Result<Vec<Value>> {
        let text = match fs::read_to_string(&self.0) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error.into()),
        };
        // The last line may be half written.
        let lines = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'));
        let events = lines.map(serde_json::from_str);
        events
            .collect::<Result<_, _>>()
            .with_context(|| format!("an event is not JSON: {text}"))
    }

    /// Waits until `enough` is true of the events, and gives them.
    ///
    /// # Errors
    /// That does not happen for ten seconds.
    pub fn wait_until(&self, enough: impl Fn(&[Value]) -> bool) -> anyhow::Result<Vec<Value>> {
        self.wait_for(Duration::from_secs(10), enough)
    }

    /// The same, for what takes longer.
    ///
    /// # Errors
    /// That does not happen for so long.
    pub fn wait_for(
        &self,
        longest: Duration,
        enough: impl Fn(&[Value]) -> bool,
    ) -> anyhow::Result<Vec<Value>> {
        let changes = Inotify::init(InitFlags::IN_NONBLOCK)?;
        let directory = self.0.parent().context("a file is in a directory")?;
        changes.add_watch(directory, AddWatchFlags::IN_MODIFY)?;
        let deadline = Instant::now() + longest;
        loop {
            let events = self.read()?;
            if enough(&events) {
                return Ok(events);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let mut wait = [PollFd::new(changes.as_fd(), PollFlags::POLLIN)];
            let changed = poll(&mut wait, PollTimeout::try_from(left)?)? > 0;
            ensure!(changed, "still waiting after {events:#?}");
            let _ = changes.read_events();
        }
    }
}
