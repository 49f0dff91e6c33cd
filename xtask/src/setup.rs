//! `setup`: finds or installs what builds and tests need. Quick when nothing is missing.

mod bpffs;
mod linker;
mod packages;
mod receivers;
mod rust;

use std::{path::PathBuf, process::Command};

use anyhow::{Result, bail};

use crate::cmd;

/// What later verbs hand to cargo.
pub(crate) struct Toolchain {
    /// `None` where the build script finds it by itself: the variable would only make cargo rebuild
    /// when a verb and plain cargo take turns.
    bpf_linker: Option<PathBuf>,
}

impl Toolchain {
    /// Makes the build script of `enforcer` use the linker that was found to fit, also where
    /// another one comes first in `PATH`.
    pub(crate) fn apply<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.envs(self.bpf_linker.iter().map(|path| ("BPF_LINKER", path)))
    }
}

/// Finds or installs what the bench compares with.
///
/// # Errors
/// Something is missing and cannot be installed.
pub(crate) fn for_bench() -> Result<()> {
    packages::ensure(packages::FOR_BENCH)
}

/// Finds or installs what builds the static binary.
///
/// # Errors
/// Something is missing and cannot be installed.
pub(crate) fn for_static_binary() -> Result<()> {
    packages::ensure(packages::FOR_STATIC_BINARY)?;
    rust::ensure_static_target()
}

/// Finds or installs what builds the container image around it.
///
/// # Errors
/// Something is missing and cannot be installed.
pub(crate) fn for_image() -> Result<()> {
    packages::ensure(packages::FOR_IMAGE)
}

/// Finds or installs everything.
///
/// # Errors
/// Lists all that is missing and could not be installed, with what to do about each.
pub(crate) fn run() -> Result<Toolchain> {
    let mut missing = Vec::new();
    let mut note = |outcome: Result<()>| missing.extend(outcome.err());
    note(rust::ensure());
    note(packages::ensure(packages::FOR_TESTS));
    note(receivers::ensure());
    note(bpffs::ensure());
    let linker = linker::ensure();
    match linker {
        Ok(bpf_linker) if missing.is_empty() => {
            cmd::say("setup", "nothing is missing");
            return Ok(Toolchain { bpf_linker });
        }
        Ok(_) => {}
        Err(error) => missing.push(error),
    }
    let list: Vec<_> = missing
        .iter()
        .map(|error| format!("\n  - {error:#}"))
        .collect();
    bail!("setup is not complete:{}", list.concat());
}
