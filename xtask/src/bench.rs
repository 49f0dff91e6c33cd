//! `bench`: what enforcer costs, beside what one would use instead.

use anyhow::{Result, bail};
use clap::Subcommand;

use crate::{build, cmd, setup};

/// How much to measure.
#[derive(Clone, Copy, Subcommand)]
pub(crate) enum Args {
    /// The rows that must hold, beside the alternatives: under three minutes
    Quick,
}

impl Args {
    fn verb(self) -> &'static str {
        match self {
            Self::Quick => "quick",
        }
    }
}

/// Builds the bench and runs it.
///
/// # Errors
/// Not root, something needed cannot be installed, or a verdict is wrong.
pub(crate) fn run(args: Args) -> Result<()> {
    if !cmd::is_root() {
        bail!(
            "the bench makes namespaces and attaches programs to cgroups of its own: run as root"
        );
    }
    let toolchain = setup::run()?;
    build::release(&toolchain)?;
    cmd::say("build", "the bench");
    let mut build = cmd::cargo(&["build", "--release", "--package", "enforcer-bench"]);
    cmd::run(toolchain.apply(&mut build))?;
    let bench = build::target_directory()?.join("release/enforcer-bench");
    cmd::run(cmd::at_root(bench).arg(args.verb()))
}
