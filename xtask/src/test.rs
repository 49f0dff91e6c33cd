//! `test`: all tests, those that need root included.

use anyhow::{Result, bail};

use crate::{cmd, image, setup};

/// Options of `test`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Leave out what attaches programs, and say so
    #[arg(long)]
    skip_root: bool,
}

const ORDINARY: &[&str] = &[
    "test",
    "-p",
    "enforcer-common",
    "-p",
    "enforcer",
    "-p",
    "xtask",
];
const ROOT: &[&str] = &["-p", "enforcer-tests"];

/// Runs the tests.
///
/// # Errors
/// A test fails, or this is not root and the user did not say to skip what needs it.
pub(crate) fn run(args: &Args) -> Result<()> {
    if !args.skip_root && !cmd::is_root() {
        bail!(
            "the suites of enforcer-tests attach programs to cgroups of their own and need root; \
             run as root, or leave them out with --skip-root"
        );
    }
    let toolchain = setup::run()?;
    if args.skip_root {
        cmd::say("test", "what needs no privilege");
        cmd::run(toolchain.apply(&mut cmd::cargo(ORDINARY)))?;
        cmd::say("test", "SKIPPED on request: every suite of enforcer-tests");
        return Ok(());
    }
    // What is tested is what is shipped.
    let binary = image::binary(&toolchain)?;
    let image = image::build(&binary)?;
    cmd::say(
        "test",
        "what needs no privilege, and the suites that load, attach and send, in namespaces of their own",
    );
    // At once: cargo would build what both have in common twice, for each with the features of its own.
    let mut suites = cmd::cargo(ORDINARY);
    suites.args(ROOT);
    suites.env("ENFORCER_BIN", binary);
    suites.env("ENFORCER_IMAGE", image.path);
    cmd::run(toolchain.apply(&mut suites))
}
