//! `enforcer policy`: everything about policies that needs no daemon.

mod check;

use std::process::ExitCode;

pub use check::{CheckArgs, Format, check};
use clap::{Args, Subcommand};

/// `enforcer policy`.
#[derive(Args, Debug)]
pub struct PolicyArgs {
    #[command(subcommand)]
    verb: PolicyVerb,
}

#[derive(Subcommand, Debug)]
enum PolicyVerb {
    /// Check policies and regions without applying them
    Check(CheckArgs),
}

/// Runs `enforcer policy VERB`.
///
/// # Errors
/// As the verb.
pub fn run(args: &PolicyArgs) -> anyhow::Result<ExitCode> {
    match &args.verb {
        PolicyVerb::Check(args) => check(args),
    }
}
