//! `bench`: what enforcer costs, beside what one would use instead.

use anyhow::{Result, bail};
use clap::Subcommand;

use crate::{build, cmd, setup};

/// How much to measure.
#[derive(Clone, Copy, Subcommand)]
pub(crate) enum Args {
    /// The rows that must hold, beside the alternatives: about four minutes
    Quick,
    /// Everything, more often, and docs/performance.md from it: under thirty minutes
    Full,
    /// docs/performance.md from the last result
    Report,
}

/// Builds the bench and runs it.
///
/// # Errors
/// Not root, something needed cannot be installed, or a verdict is wrong.
pub(crate) fn run(args: Args) -> Result<()> {
    let verb: &[&str] = match args {
        Args::Quick => &["run", "quick"],
        Args::Full => &["run", "full"],
        Args::Report => &["report"],
    };
    if !cmd::is_root() {
        bail!(
            "the bench makes namespaces and attaches programs to cgroups of its own: run as root"
        );
    }
    let toolchain = setup::run()?;
    setup::for_bench()?;
    let enforcer = build::release(&toolchain)?;
    cmd::say("build", "the bench");
    let mut build = cmd::cargo(&["build", "--release", "--package", "enforcer-bench"]);
    // A workload of the bench is a program of the tests.
    build.args(["--bin", "enforcer-bench"]);
    build.args(["--package", "enforcer-tests", "--bin", "refused"]);
    cmd::run(toolchain.apply(&mut build))?;
    let target = build::target_directory()?;
    let mut bench = cmd::at_root(target.join("release/enforcer-bench"));
    cmd::run(
        bench
            .args(verb)
            .arg("--target")
            .arg(target)
            .env("ENFORCER_BIN", enforcer),
    )
}
