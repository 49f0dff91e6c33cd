//! A network namespace without a name.
//!
//! It is held by a file descriptor alone, so it goes with the process that made it, however that
//! process ends: there is nothing to clean up and nothing to collide with.

use std::{
    fs::File,
    os::{
        fd::{AsFd, AsRawFd},
        unix::process::CommandExt,
    },
    path::PathBuf,
    process::Command,
    thread,
};

use anyhow::{Context, bail, ensure};
use nix::sched::{CloneFlags, setns, unshare};

/// A network namespace, alive as long as this is, or a process or socket in it.
#[derive(Debug)]
pub struct NetNs {
    file: File,
}

impl NetNs {
    /// A new one, with nothing but a loopback interface that is down.
    ///
    /// # Errors
    /// Without root.
    pub fn new() -> anyhow::Result<Self> {
        super::require_root()?;
        // A thread of its own: the namespace of the caller's thread must not change.
        let file = on_a_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET).context("cannot make a network namespace")?;
            // Not /proc/self: that is the main thread's.
            File::open("/proc/thread-self/ns/net").context("cannot open /proc/thread-self/ns/net")
        })?;
        Ok(Self { file })
    }

    /// Runs `work` on a thread inside the namespace. Sockets that it makes stay there.
    ///
    /// # Errors
    /// Those of `work`, or the namespace cannot be entered.
    pub fn run<T: Send>(
        &self,
        work: impl FnOnce() -> anyhow::Result<T> + Send,
    ) -> anyhow::Result<T> {
        on_a_thread(|| {
            setns(self.file.as_fd(), CloneFlags::CLONE_NEWNET)
                .context("cannot enter a network namespace")?;
            work()
        })
    }

    /// Makes `command` start inside the namespace, with the mounts of the caller: cgroup paths hold.
    pub fn confine(&self, command: &mut Command) -> anyhow::Result<()> {
        let file = self.file.try_clone()?;
        let enter = move || Ok(setns(file.as_fd(), CloneFlags::CLONE_NEWNET)?);
        // SAFETY: between fork and exec the closure makes one system call, and its error conversion
        // does not allocate.
        unsafe { command.pre_exec(enter) };
        Ok(())
    }

    /// A path by which other processes can name the namespace while this value lives.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        let fd = self.file.as_raw_fd();
        format!("/proc/{}/fd/{fd}", std::process::id()).into()
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

fn on_a_thread<T: Send>(work: impl FnOnce() -> anyhow::Result<T> + Send) -> anyhow::Result<T> {
    match thread::scope(|scope| scope.spawn(work).join()) {
        Ok(result) => result,
        Err(_) => bail!("a thread of the laboratory panicked; its message is above"),
    }
}
