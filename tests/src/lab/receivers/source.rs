//! A process that sends events to sinks by the daemon's own pipeline.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

/// A running `event-source`. Killed on drop.
#[derive(Debug)]
pub struct Source {
    process: Child,
    state: PathBuf,
}

/// How a sink did in the end.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Report {
    /// Its name.
    pub sink: String,
    /// Records that it took.
    pub delivered: u64,
    /// Records it never got.
    pub lost: u64,
    /// Of these, those that the receiver would not take.
    pub refused: u64,
    /// Of these, those whose copy on disk was damaged.
    pub damaged: u64,
    /// Attempts that failed.
    pub failures: u64,
}

impl Source {
    /// Starts it; it goes on until `count` events have been sent, by itself and by those before it with
    /// the same `state`.
    ///
    /// # Errors
    /// It has not been built.
    pub fn start(state: &Path, count: u64, sinks: &[String]) -> anyhow::Result<Self> {
        let mut command = Command::new(crate::lab::binary("event-source")?);
        command.arg(state).arg(count.to_string()).args(sinks);
        Self::spawn(command, state)
    }

    /// The same, by a command that runs it in the end.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn spawn(mut command: Command, state: &Path) -> anyhow::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        Ok(Self {
            process: command.spawn().context("cannot start event-source")?,
            state: state.to_owned(),
        })
    }

    /// The last number that was given.
    #[must_use]
    pub fn sent(&self) -> u64 {
        // As the process sees it: it may have mounts of its own.
        let root = format!("/proc/{}/root{}", self.process.id(), self.state.display());
        let text = fs::read_to_string(Path::new(&root).join("sequence")).unwrap_or_default();
        let last = text.split_once(' ').map(|(_, last)| last.trim().to_owned());
        last.and_then(|last| last.parse().ok()).unwrap_or(0)
    }

    /// Waits until it has sent so many.
    ///
    /// # Errors
    /// It ends, or hangs, before that.
    pub fn wait_until_sent(&mut self, count: u64) -> anyhow::Result<()> {
        let until = Instant::now() + Duration::from_secs(120);
        while self.sent() < count {
            let ended = self.process.try_wait()?;
            ensure!(ended.is_none(), "it ended early: {ended:?}");
            ensure!(Instant::now() < until, "{} of {count} sent", self.sent());
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Most memory that it had so far, bytes (`VmHWM` of proc(5)).
    ///
    /// # Errors
    /// It has ended.
    pub fn peak_memory(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Ok(kilobytes.context("it has ended")?.trim().parse::<u64>()? << 10)
    }

    /// Kills it (`SIGKILL`).
    ///
    /// # Errors
    /// It has been waited for.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// Waits until nothing waits for a sink, and gives what became of the events that this process
    /// sent, and those that it found waiting.
    ///
    /// # Errors
    /// Some still wait after a while.
    pub fn finish(mut self) -> anyhow::Result<Vec<Report>> {
        let mut said = String::new();
        let mut stdout = self.process.stdout.take().context("no pipe")?;
        std::io::Read::read_to_string(&mut stdout, &mut said)?;
        let status = self.process.wait()?;
        if !status.success() {
            bail!("event-source: {status}: {said}");
        }
        let lines = said.lines().map(serde_json::from_str);
        lines
            .collect::<Result<_, _>>()
            .with_context(|| said.clone())
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
