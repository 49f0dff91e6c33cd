//! Runs the probe in the client namespace.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};

use super::{cgroup::Cgroup, world::World};
use crate::probe::Outcome;

/// A probe about to run.
#[derive(Clone, Debug)]
pub struct Probe<'a> {
    world: &'a World,
    cgroup: Option<&'a Cgroup>,
    timeout: Duration,
    marker: String,
}

impl<'a> Probe<'a> {
    /// In the client namespace of `world`, in the cgroup of the test.
    #[must_use]
    pub fn new(world: &'a World) -> Self {
        Self {
            world,
            cgroup: None,
            timeout: Duration::from_secs(1),
            marker: "enforcer-probe".to_owned(),
        }
    }

    /// In `cgroup`, from before its first instruction.
    #[must_use]
    pub fn in_cgroup(self, cgroup: &'a Cgroup) -> Self {
        Self {
            cgroup: Some(cgroup),
            ..self
        }
    }

    /// No attempt waits longer.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// What its packets carry.
    #[must_use]
    pub fn marker(self, marker: &str) -> Self {
        Self {
            marker: marker.to_owned(),
            ..self
        }
    }

    /// Makes the attempts; their outcomes in order.
    ///
    /// # Errors
    /// The probe is not built, or does not understand an attempt.
    pub fn run(&self, attempts: &[&str]) -> anyhow::Result<Vec<Outcome>> {
        let mut command = self.command()?;
        command.args(attempts).stdin(Stdio::null());
        let output = command.output().context("cannot start the probe")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}: {said}", output.status);
        parse(&output.stdout)
    }

    /// Makes one attempt, which gives one outcome.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn attempt(&self, attempt: &str) -> anyhow::Result<Outcome> {
        let outcomes = self.run(&[attempt])?;
        outcomes
            .into_iter()
            .next()
            .context("the probe said nothing")
    }

    /// Starts an attempt that goes on: a server, or a connection that stays.
    ///
    /// # Errors
    /// The probe is not built.
    pub fn start(&self, attempt: &str) -> anyhow::Result<Held> {
        let mut command = self.command()?;
        command.arg(attempt);
        Held::spawn(command)
    }

    /// Program and options, without attempts.
    fn command(&self) -> anyhow::Result<Command> {
        let mut command = Command::new(super::binary("probe")?);
        command.args(self.options());
        self.world.client.confine(&mut command)?;
        if let Some(cgroup) = self.cgroup {
            cgroup.confine(&mut command)?;
        }
        Ok(command)
    }

    pub(super) fn options(&self) -> [String; 4] {
        [
            "--timeout-ms".to_owned(),
            self.timeout.as_millis().to_string(),
            "--marker".to_owned(),
            self.marker.clone(),
        ]
    }
}

/// The outcomes in what a probe wrote.
pub(super) fn parse(output: &[u8]) -> anyhow::Result<Vec<Outcome>> {
    let lines = output.split(|byte| *byte == b'\n');
    let parsed = lines.filter(|line| !line.is_empty()).map(|line| {
        serde_json::from_slice(line)
            .with_context(|| format!("no outcome: {}", String::from_utf8_lossy(line)))
    });
    parsed.collect()
}

/// A probe that goes on. Killed on drop.
#[derive(Debug)]
pub struct Held {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Held {
    pub(super) fn spawn(mut command: Command) -> anyhow::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start the probe")?;
        let input = child.stdin.take().context("no pipe to the probe")?;
        let output = child.stdout.take().context("no pipe from the probe")?;
        Ok(Self {
            child,
            input,
            output: BufReader::new(output),
        })
    }

    /// Waits for the next outcome.
    ///
    /// # Errors
    /// The probe has ended.
    pub fn outcome(&mut self) -> anyhow::Result<Outcome> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        serde_json::from_str(&line).with_context(|| format!("the probe said `{line}`"))
    }

    /// Has a held connection send once, and waits for what becomes of it.
    ///
    /// # Errors
    /// The probe has ended.
    pub fn send(&mut self) -> anyhow::Result<Outcome> {
        self.input.write_all(b"\n")?;
        self.outcome()
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
