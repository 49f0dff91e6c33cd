//! The file that events are written to.

use std::{
    fs,
    io::{self, BufRead as _, BufReader},
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

    /// Waits until `enough` is true of an event. It is asked of each once, in order, so it can count.
    ///
    /// # Errors
    /// That is so of none for so long.
    pub fn follow(
        &self,
        longest: Duration,
        mut enough: impl FnMut(&Value) -> bool,
    ) -> anyhow::Result<()> {
        let changes = self.changes()?;
        let mut file = BufReader::new(fs::File::open(&self.0)?);
        let deadline = Instant::now() + longest;
        let mut line = String::new();
        loop {
            while file.read_line(&mut line)? > 0 {
                if !line.ends_with('\n') {
                    continue;
                }
                let event = serde_json::from_str(&line).with_context(|| line.clone())?;
                if enough(&event) {
                    return Ok(());
                }
                line.clear();
            }
            wait_for_change(&changes, deadline, || format!("after {line}"))?;
        }
    }

    fn changes(&self) -> anyhow::Result<Inotify> {
        let changes = Inotify::init(InitFlags::IN_NONBLOCK)?;
        let directory = self.0.parent().context("a file is in a directory")?;
        changes.add_watch(directory, AddWatchFlags::IN_MODIFY)?;
        Ok(changes)
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
        let changes = self.changes()?;
        let deadline = Instant::now() + longest;
        loop {
            let events = self.read()?;
            if enough(&events) {
                return Ok(events);
            }
            wait_for_change(&changes, deadline, || format!("after {events:#?}"))?;
        }
    }
}

fn wait_for_change(
    changes: &Inotify,
    deadline: Instant,
    after: impl FnOnce() -> String,
) -> anyhow::Result<()> {
    let left = deadline.saturating_duration_since(Instant::now());
    let mut wait = [PollFd::new(changes.as_fd(), PollFlags::POLLIN)];
    let changed = poll(&mut wait, PollTimeout::try_from(left)?)? > 0;
    ensure!(changed, "still waiting {}", after());
    let _ = changes.read_events();
    Ok(())
}
