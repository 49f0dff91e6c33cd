//! The enforcer under demonstration, as an instance of its own.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use anyhow::{Context, ensure};
use enforcer_tests::{
    lab::{self, Cgroup, World},
    probe::Outcome,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Pins and cgroups of one name. They are removed when this is made, for an earlier run may have been
/// killed, and when it is dropped.
pub(crate) struct Instance {
    enforcer: PathBuf,
    name: &'static str,
}

/// What a confined probe did.
pub(crate) struct Confined {
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) events: Vec<Value>,
    pub(crate) stderr: String,
}

impl Instance {
    pub(crate) fn new(name: &'static str) -> anyhow::Result<Self> {
        let enforcer = env::var_os("ENFORCER_BIN");
        let enforcer = enforcer.context("ENFORCER_BIN is not set: run `cargo xtask demo`")?;
        let instance = Self {
            enforcer: enforcer.into(),
            name,
        };
        instance.remove()?;
        Ok(instance)
    }

    /// A file of the repository.
    pub(crate) fn read(&self, path: &str) -> anyhow::Result<String> {
        fs::read_to_string(Path::new(ROOT).join(path)).with_context(|| path.to_owned())
    }

    /// Runs the probe under `enforcer exec` in the client namespace.
    pub(crate) fn exec(
        &self,
        world: &World,
        policy: &str,
        attempts: &[&str],
    ) -> anyhow::Result<Confined> {
        let directory = tempfile::tempdir()?;
        let events = directory.path().join("denied.ndjson");
        let mut command = self.command(&["exec", "--policy", policy, "--events"]);
        command.arg(&events).arg("--").arg(lab::binary("probe")?);
        world.client.confine(&mut command)?;
        let output = command.args(attempts).output()?;
        Ok(Confined {
            outcomes: lines(&String::from_utf8_lossy(&output.stdout))?,
            events: lines(&fs::read_to_string(&events).unwrap_or_default())?,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// What a verb says to people.
    pub(crate) fn ask(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let Output {
            status,
            stdout,
            stderr,
        } = self.command(arguments).output()?;
        let said = String::from_utf8_lossy(&stderr);
        ensure!(status.success(), "enforcer {}: {said}", arguments.join(" "));
        Ok(String::from_utf8(stdout)?)
    }

    /// What a verb says to programs.
    pub(crate) fn ask_json(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let said = self.ask(&[arguments, &["--json"]].concat())?;
        serde_json::from_str(&said).with_context(|| arguments.join(" "))
    }

    /// What is there of it.
    pub(crate) fn traces(&self) -> anyhow::Result<Vec<PathBuf>> {
        let pins = Path::new("/sys/fs/bpf/enforcer").join(self.name);
        let cgroup = lab::mount()?.join(self.cgroup());
        Ok([pins, cgroup]
            .into_iter()
            .filter(|path| path.exists())
            .collect())
    }

    fn cgroup(&self) -> String {
        format!("enforcer-{}", self.name)
    }

    fn remove(&self) -> anyhow::Result<()> {
        if !self.traces()?.is_empty() {
            self.ask(&["detach"])?;
            drop(Cgroup::left_behind(&self.cgroup())?);
        }
        Ok(())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.enforcer);
        command.args(["--instance", self.name]).args(arguments);
        command.current_dir(ROOT).stdin(Stdio::null());
        command
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            eprintln!("error: {error:#}");
        }
    }
}

fn lines<T: DeserializeOwned>(text: &str) -> anyhow::Result<Vec<T>> {
    text.lines()
        .map(|line| serde_json::from_str(line).with_context(|| line.to_owned()))
        .collect()
}
