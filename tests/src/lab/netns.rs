//! A network namespace.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, ensure};
use nix::sched::CloneFlags;

use super::namespace::Namespace;

/// A network namespace, alive as long as this is, or a process or socket in it.
#[derive(Debug)]
pub struct NetNs(Namespace);

impl NetNs {
    /// A new one, with nothing but a loopback interface that is down.
    ///
    /// # Errors
    /// Without root.
    pub fn new() -> anyhow::Result<Self> {
        Namespace::new(CloneFlags::CLONE_NEWNET, "net", || Ok(())).map(Self)
    }

    /// Runs `work` on a thread inside the namespace. Sockets that it makes stay there.
    ///
    /// # Errors
    /// Those of `work`, or the namespace cannot be entered.
    pub fn run<T: Send>(
        &self,
        work: impl FnOnce() -> anyhow::Result<T> + Send,
    ) -> anyhow::Result<T> {
        self.0.run(work)
    }

    /// Makes `command` start inside the namespace, with the mounts of the caller: cgroup paths hold.
    ///
    /// # Errors
    /// No more file descriptors.
    pub fn confine(&self, command: &mut Command) -> anyhow::Result<()> {
        self.0.confine(command)
    }

    /// A path by which other processes can name the namespace while this value lives.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.0.path()
    }

    /// Runs `ip` inside, with the words of `arguments`.
    ///
    /// # Errors
    /// `ip` fails; the message has the command and what it said.
    pub fn ip(&self, arguments: &str) -> anyhow::Result<()> {
        let mut command = Command::new("ip");
        command.args(arguments.split_whitespace());
        self.confine(&mut command)?;
        let output = command
            .output()
            .context("cannot start `ip`: install iproute2")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`ip {arguments}` failed: {said}");
        Ok(())
    }

    /// Sets `net.NAME` inside, `name` with slashes.
    ///
    /// # Errors
    /// This kernel has no such setting or refuses the value.
    pub fn sysctl(&self, name: &str, value: &str) -> anyhow::Result<()> {
        let path = format!("/proc/sys/net/{name}");
        // /proc/sys/net shows the namespace of the thread that looks.
        self.run(|| std::fs::write(&path, value).with_context(|| format!("cannot write {path}")))
    }
}
