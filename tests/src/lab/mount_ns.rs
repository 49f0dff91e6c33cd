//! A mount namespace without a name: held by a file descriptor alone, so it and all that is mounted in
//! it goes with the processes in it and the value.

use std::{fs::File, os::fd::AsFd, os::unix::process::CommandExt, process::Command, thread};

use anyhow::{Context, bail};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, setns, unshare},
};

/// A mount namespace, alive as long as this is, or a process in it.
#[derive(Debug)]
pub struct MountNs {
    file: File,
}

impl MountNs {
    /// A copy of the caller's, in which `arrange` then mounts. Nothing of that is seen outside.
    ///
    /// # Errors
    /// Without root, or those of `arrange`.
    pub fn new(arrange: impl FnOnce() -> anyhow::Result<()> + Send) -> anyhow::Result<Self> {
        super::require_root()?;
        let file = on_a_thread(|| {
            unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS)
                .context("cannot make a mount namespace")?;
            let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
            mount(None::<&str>, "/", None::<&str>, private, None::<&str>)?;
            arrange()?;
            File::open("/proc/thread-self/ns/mnt").context("cannot open /proc/thread-self/ns/mnt")
        })?;
        Ok(Self { file })
    }

    /// Runs `work` on a thread inside the namespace.
    ///
    /// # Errors
    /// Those of `work`, or the namespace cannot be entered.
    pub fn run<T: Send>(
        &self,
        work: impl FnOnce() -> anyhow::Result<T> + Send,
    ) -> anyhow::Result<T> {
        on_a_thread(|| {
            unshare(CloneFlags::CLONE_FS)?;
            setns(self.file.as_fd(), CloneFlags::CLONE_NEWNS)
                .context("cannot enter a mount namespace")?;
            work()
        })
    }

    /// Makes `command` start inside the namespace.
    ///
    /// # Errors
    /// No more file descriptors.
    pub fn confine(&self, command: &mut Command) -> anyhow::Result<()> {
        let file = self.file.try_clone()?;
        let enter = move || Ok(setns(file.as_fd(), CloneFlags::CLONE_NEWNS)?);
        // SAFETY: between fork and exec the closure makes one system call, and its error conversion
        // does not allocate.
        unsafe { command.pre_exec(enter) };
        Ok(())
    }
}

fn on_a_thread<T: Send>(work: impl FnOnce() -> anyhow::Result<T> + Send) -> anyhow::Result<T> {
    match thread::scope(|scope| scope.spawn(work).join()) {
        Ok(result) => result,
        Err(_) => bail!("a thread of the laboratory panicked; its message is above"),
    }
}
