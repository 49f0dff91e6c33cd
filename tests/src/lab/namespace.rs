//! A namespace without a name.
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

use anyhow::{Context, bail};
use nix::sched::{CloneFlags, setns, unshare};

/// A namespace, alive as long as this is, or what is in it.
#[derive(Debug)]
pub(super) struct Namespace {
    file: File,
    kind: CloneFlags,
}

impl Namespace {
    /// A new one of `kind`, whose file under `/proc/PID/ns` is `name`; `arrange` runs inside before
    /// anybody else.
    ///
    /// # Errors
    /// Without root, or those of `arrange`.
    pub(super) fn new(
        kind: CloneFlags,
        name: &str,
        arrange: impl FnOnce() -> anyhow::Result<()> + Send,
    ) -> anyhow::Result<Self> {
        super::require_root()?;
        // Not /proc/self: that is the main thread's.
        let path = format!("/proc/thread-self/ns/{name}");
        // A thread of its own: the namespace of the caller's thread must not change.
        let file = on_a_thread(|| {
            unshare(kind).with_context(|| format!("cannot make a namespace: {kind:?}"))?;
            arrange()?;
            File::open(&path).with_context(|| format!("cannot open {path}"))
        })?;
        Ok(Self { file, kind })
    }

    /// Runs `work` on a thread inside.
    ///
    /// # Errors
    /// Those of `work`, or the namespace cannot be entered.
    pub(super) fn run<T: Send>(
        &self,
        work: impl FnOnce() -> anyhow::Result<T> + Send,
    ) -> anyhow::Result<T> {
        on_a_thread(|| {
            // Who shares its root with other threads may not enter a mount namespace.
            unshare(CloneFlags::CLONE_FS)?;
            setns(self.file.as_fd(), self.kind)
                .with_context(|| format!("cannot enter a namespace: {:?}", self.kind))?;
            work()
        })
    }

    /// Makes `command` start inside.
    ///
    /// # Errors
    /// No more file descriptors.
    pub(super) fn confine(&self, command: &mut Command) -> anyhow::Result<()> {
        let (file, kind) = (self.file.try_clone()?, self.kind);
        let enter = move || Ok(setns(file.as_fd(), kind)?);
        // SAFETY: between fork and exec the closure makes one system call, and its error conversion
        // does not allocate.
        unsafe { command.pre_exec(enter) };
        Ok(())
    }

    /// A path by which other processes can name the namespace while this value lives.
    pub(super) fn path(&self) -> PathBuf {
        let fd = self.file.as_raw_fd();
        format!("/proc/{}/fd/{fd}", std::process::id()).into()
    }
}

fn on_a_thread<T: Send>(work: impl FnOnce() -> anyhow::Result<T> + Send) -> anyhow::Result<T> {
    match thread::scope(|scope| scope.spawn(work).join()) {
        Ok(result) => result,
        Err(_) => bail!("a thread of the laboratory panicked; its message is above"),
    }
}
