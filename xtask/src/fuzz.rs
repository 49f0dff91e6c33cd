//! `fuzz`: what reads foreign bytes, beside an implementation by others.

use anyhow::Result;
use clap::Args as ClapArgs;

use crate::{build, cmd, setup};

/// How much.
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// How many messages
    #[arg(long, default_value_t = 10_000_000)]
    inputs: u64,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Builds the reader and its reference, and runs both.
///
/// # Errors
/// They differ, or something needed is missing.
pub(crate) fn run(args: &Args) -> Result<()> {
    let toolchain = setup::run()?;
    cmd::say("build", "the readers of DNS messages");
    let mut build = cmd::cargo(&[
        "build",
        "--release",
        "--package",
        "enforcer-tests",
        "--bin",
        "dns-fuzz",
    ]);
    cmd::run(toolchain.apply(&mut build))?;
    let target = build::target_directory()?;
    let (inputs, seed) = (args.inputs.to_string(), args.seed.to_string());
    let mut fuzz = cmd::at_root(target.join("release/dns-fuzz"));
    cmd::run(fuzz.args(["--inputs", &inputs, "--seed", &seed]))
}
