//! Runs commands under `enforcer exec`.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Output, Stdio},
};

use anyhow::Context;
use serde_json::Value;
use tempfile::TempDir;

use super::{
    event_file::EventFile,
    geo,
    instance::Instance,
    run::{self, Held, Probe},
    world::World,
};
use crate::probe::Outcome;

/// An `enforcer exec` in the client namespace about to run, as an instance of its own.
#[derive(Debug)]
pub struct Confined<'a> {
    world: &'a World,
    /// Its name, its pins, its cgroup.
    pub instance: Instance,
    /// What it says.
    pub events: EventFile,
    arguments: Vec<String>,
    geo: Option<PathBuf>,
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
    /// Without a policy yet, and with the database of the laboratory.
    ///
    /// # Errors
    /// No directory for temporary files.
    pub fn new(world: &'a World) -> anyhow::Result<Self> {
        let directory = TempDir::new()?;
        let geo = directory.path().join("laboratory.mmdb");
        geo::write_geo(&geo)?;
        Ok(Self {
            world,
            instance: Instance::new()?,
            events: EventFile::at(directory.path().join("events.ndjson")),
            arguments: vec![],
            geo: Some(geo),
            directory,
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

    /// Uses this database instead.
    #[must_use]
    pub fn geo(self, path: &Path) -> Self {
        Self {
            geo: Some(path.to_owned()),
            ..self
        }
    }

    /// Uses the database that is built in instead.
    #[must_use]
    pub fn built_in_geo(self) -> Self {
        Self { geo: None, ..self }
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
        let program = super::binary("probe")?;
        let options = probe.options();
        let words = [program.as_os_str()]
            .into_iter()
            .chain(options.iter().map(OsStr::new))
            .chain(attempts.iter().map(OsStr::new));
        let output = self.output(words)?;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok(ConfinedRun {
            status: output.status,
            outcomes: run::parse(&output.stdout).with_context(|| stderr.clone())?,
            events: self.events.read()?,
            stderr,
        })
    }

    /// Runs any command to its end.
    ///
    /// # Errors
    /// `enforcer` is not built.
    pub fn output<S: AsRef<OsStr>>(
        &self,
        command: impl IntoIterator<Item = S>,
    ) -> anyhow::Result<Output> {
        self.command()?
            .args(command)
            .stdin(Stdio::null())
            .output()
            .context("cannot start enforcer")
    }

    /// Starts attempts of which the last goes on, confined.
    ///
    /// # Errors
    /// A program is not built.
    pub fn start(&self, probe: &Probe<'_>, attempts: &[&str]) -> anyhow::Result<Held> {
        let mut command = self.command()?;
        command.arg(super::binary("probe")?);
        command.args(probe.options()).args(attempts);
        Held::spawn(command)
    }

    /// `enforcer exec ... --`, for any command.
    ///
    /// # Errors
    /// `enforcer` is not built.
    pub fn command(&self) -> anyhow::Result<Command> {
        let mut command = self.instance.verb("exec")?;
        command.args(&self.arguments);
        if let Some(geo) = &self.geo {
            command.arg("--geo").arg(geo);
        }
        command.arg("--events").arg(self.events.path()).arg("--");
        self.world.client.confine(&mut command)?;
        Ok(command)
    }
}

impl ConfinedRun {
    /// Events about flows to `ip`, in order.
    #[must_use]
    pub fn events_about(&self, ip: &str) -> Vec<&Value> {
        let about = |event: &&Value| event["destination"]["ip"] == ip;
        self.events.iter().filter(about).collect()
    }

    /// How often flows to `ip` were refused or would have been, over all events.
    #[must_use]
    pub fn count(&self, ip: &str) -> u64 {
        let counts = self.events_about(ip).into_iter();
        counts
            .filter_map(|event| event["enforcer"]["count"].as_u64())
            .sum()
    }
}
