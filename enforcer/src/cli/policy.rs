//! `enforcer policy`: everything about policies that needs no daemon.

mod check;
mod simulate;

use std::{
    io::{self, IsTerminal as _},
    process::ExitCode,
};

pub(super) use check::color;
pub use check::{CheckArgs, Format, check};
use clap::{Args, Subcommand};
pub use simulate::{SimulateArgs, simulate};

use crate::policy::Diagnostics;

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
    /// Say which recorded flows would end otherwise under other policies
    Simulate(SimulateArgs),
}

/// Findings for standard error, in colour where it is a terminal.
#[must_use]
pub fn rendered(diagnostics: &Diagnostics) -> String {
    diagnostics.render(color(io::stderr().is_terminal()))
}

/// Runs `enforcer policy VERB`.
///
/// # Errors
/// As the verb.
pub fn run(args: &PolicyArgs) -> anyhow::Result<ExitCode> {
    match &args.verb {
        PolicyVerb::Check(args) => check(args),
        PolicyVerb::Simulate(args) => simulate(args),
    }
}
