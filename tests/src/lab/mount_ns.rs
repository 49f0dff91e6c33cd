//! A mount namespace: what is mounted in it goes with it.

use std::process::Command;

use nix::{
    mount::{MsFlags, mount},
    sched::CloneFlags,
};

use super::namespace::Namespace;

/// A mount namespace, alive as long as this is, or a process in it.
#[derive(Debug)]
pub struct MountNs(Namespace);

impl MountNs {
    /// A copy of the caller's, in which `arrange` then mounts. Nothing of that is seen outside.
    ///
    /// # Errors
    /// Without root, or those of `arrange`.
    pub fn new(arrange: impl FnOnce() -> anyhow::Result<()> + Send) -> anyhow::Result<Self> {
        let kind = CloneFlags::CLONE_NEWNS;
        Namespace::new(kind, "mnt", || {
            let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
            mount(None::<&str>, "/", None::<&str>, private, None::<&str>)?;
            arrange()
        })
        .map(Self)
    }

    /// Runs `work` on a thread inside the namespace.
    ///
    /// # Errors
    /// Those of `work`, or the namespace cannot be entered.
    pub fn run<T: Send>(
        &self,
        work: impl FnOnce() -> anyhow::Result<T> + Send,
    ) -> anyhow::Result<T> {
        self.0.run(work)
    }

    /// Makes `command` start inside the namespace.
    ///
    /// # Errors
    /// No more file descriptors.
    pub fn confine(&self, command: &mut Command) -> anyhow::Result<()> {
        self.0.confine(command)
    }
}
