//! One instance of `enforcer`, so that suites run side by side.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::cgroup;

/// A name for `--instance` that nobody else uses. What runs and is pinned under it goes on drop.
#[derive(Debug)]
pub struct Instance {
    name: String,
    cgroup: PathBuf,
}

impl Instance {
    /// A new name.
    ///
    /// # Errors
    /// Without root, or without a cgroup2 mount.
    pub fn new() -> anyhow::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        super::require_root()?;
        let (pid, number) = (std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let name = format!("test-{pid}-{number}");
        let cgroup = cgroup::mount()?.join(format!("enforcer-{name}"));
        Ok(Self { name, cgroup })
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `enforcer VERB` of this instance.
    ///
    /// # Errors
    /// `enforcer` is not built.
    pub fn verb(&self, verb: &str) -> anyhow::Result<Command> {
        let mut command = Command::new(super::binary("enforcer")?);
        command.args(["--instance", &self.name, verb]);
        Ok(command)
    }

    /// Runs `enforcer WORDS` of this instance to its end, whatever that is.
    ///
    /// # Errors
    /// `enforcer` is not built.
    pub fn run(&self, words: &[&str]) -> anyhow::Result<Output> {
        let (verb, rest) = words.split_first().context("no verb")?;
        let output = self.verb(verb)?.args(rest).stdin(Stdio::null()).output();
        output.context("cannot start enforcer")
    }

    /// The JSON that `enforcer WORDS` prints.
    ///
    /// # Errors
    /// It fails; the error is what it said.
    pub fn ask(&self, words: &[&str]) -> anyhow::Result<Value> {
        let output = self.run(words)?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "{words:?}: {}: {said}",
            output.status
        );
        serde_json::from_slice(&output.stdout)
            .with_context(|| format!("{words:?}: no JSON: {said}"))
    }

    /// The directory of its pins.
    #[must_use]
    pub fn pins(&self) -> PathBuf {
        Path::new("/sys/fs/bpf/enforcer").join(&self.name)
    }

    /// The cgroup that holds those of its `exec`s.
    #[must_use]
    pub fn cgroup(&self) -> &Path {
        &self.cgroup
    }

    /// What exists of it in bpffs and in the cgroup tree.
    #[must_use]
    pub fn traces(&self) -> Vec<PathBuf> {
        let mut traces = vec![self.pins(), self.cgroup.clone()];
        traces.retain(|path| path.exists());
        traces
    }

    fn clean_up(&self) -> anyhow::Result<()> {
        cgroup::remove(&self.cgroup)?;
        let state = Path::new("/var/lib/enforcer").join(&self.name);
        for directory in [self.pins(), state] {
            gone(fs::remove_dir_all(directory))?;
        }
        for file in ["sock", "lock"] {
            let path = Path::new("/run/enforcer").join(format!("{}.{file}", self.name));
            gone(fs::remove_file(path))?;
        }
        Ok(())
    }
}

/// What never was there is gone as well.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Err(error) = self.clean_up() {
            eprintln!("cannot clean up after instance {}: {error:#}", self.name);
        }
    }
}
