//! Runs the probe under `enforcer exec`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

use anyhow::Context;
use serde_json::Value;
use tempfile::TempDir;

use super::{
    run::{self, Held, Probe},
    world::World,
};
use crate::probe::Outcome;

/// An `enforcer exec` in the client namespace about to run.
#[derive(Debug)]
pub struct Confined<'a> {
    world: &'a World,
    arguments: Vec<String>,
    directory: TempDir,
}

/// What it did.
#[derive(Debug)]
pub struct ConfinedRun {
    /// Of `enforcer exec`: the command's, or 125.
    pub status: ExitStatus,
    /// What the probe said.
    pub outcomes: Vec<Outcome>,
    /// What the enforcer said, in order.
    pub events: Vec<Value>,
    /// What was written for people.
    pub stderr: String,
}

impl<'a> Confined<'a> {
    /// Without a policy yet.
    ///
    /// # Errors
    /// No directory for temporary files.
    pub fn new(world: &'a World) -> anyhow::Result<Self> {
        Ok(Self {
            world,
            arguments: vec![],
            directory: TempDir::new()?,
        })
    }

    /// Adds a policy file.
    #[must_use]
    pub fn policy(self, path: &Path) -> Self {
        self.arguments(["--policy", &path.to_string_lossy()])
    }

    /// Adds a policy, written in place.
    ///
    /// # Errors
    /// The temporary directory is full.
    pub fn policy_text(self, yaml: &str) -> anyhow::Result<Self> {
        let path = self
            .directory
            .path()
            .join(format!("policy-{}.yaml", self.arguments.len()));
        fs::write(&path, yaml)?;
        Ok(self.policy(&path))
    }

    /// Adds a database.
    #[must_use]
    pub fn geo(self, path: &Path) -> Self {
        self.arguments(["--geo", &path.to_string_lossy()])
    }

    /// Allows everything and records what would have been refused.
    #[must_use]
    pub fn audit(self) -> Self {
        self.arguments(["--audit"])
    }

    fn arguments<const N: usize>(mut self, arguments: [&str; N]) -> Self {
        self.arguments.extend(arguments.map(str::to_owned));
        self
    }

    /// Has the probe make the attempts, confined.
    ///
    /// # Errors
    /// A program is not built, or wrote what cannot be read.
    pub fn run(&self, probe: &Probe<'_>, attempts: &[&str]) -> anyhow::Result<ConfinedRun> {
        let mut command = self.command()?;
        command.arg(super::binary("probe")?);
        command
            .args(probe.options())
            .args(attempts)
            .stdin(Stdio::null());
        let output = command.output().context("cannot start enforcer")?;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok(ConfinedRun {
            status: output.status,
            outcomes: run::parse(&output.stdout).with_context(|| stderr.clone())?,
            events: self.events()?,
            stderr,
        })
    }

    /// Starts an attempt that goes on, confined.
    ///
    /// # Errors
    /// A program is not built.
    pub fn start(&self, probe: &Probe<'_>, attempt: &str) -> anyhow::Result<Held> {
        let mut command = self.command()?;
        command.arg(super::binary("probe")?);
        command.args(probe.options()).arg(attempt);
        Held::spawn(command)
    }

    /// The events so far.
    ///
    /// # Errors
    /// A line is not JSON.
    pub fn events(&self) -> anyhow::Result<Vec<Value>> {
        let text = match fs::read_to_string(self.events_path()) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error.into()),
        };
        let events = text.lines().map(serde_json::from_str);
        events
            .collect::<Result<_, _>>()
            .context("an event is not JSON")
    }

    /// `enforcer exec ... --`, for any command.
    ///
    /// # Errors
    /// `enforcer` is not built.
    pub fn command(&self) -> anyhow::Result<Command> {
        let mut command = Command::new(super::binary("enforcer")?);
        command.arg("exec").args(&self.arguments);
        command.arg("--events").arg(self.events_path()).arg("--");
        self.world.client.confine(&mut command)?;
        Ok(command)
    }

    fn events_path(&self) -> PathBuf {
        self.directory.path().join("events.ndjson")
    }
}
