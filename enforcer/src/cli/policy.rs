//! `enforcer policy`: everything about policies that needs no daemon.

mod check;

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use check::color;
pub use check::{CheckArgs, Format, check};
use clap::{Args, Subcommand};

use crate::policy::{Diagnostics, SCHEMA};

/// `enforcer policy`.
#[derive(Args, Debug)]
pub struct PolicyArgs {
    #[command(subcommand)]
    verb: PolicyVerb,
}

#[derive(Subcommand, Debug)]
enum PolicyVerb {
    /// Check policies, regions and declared flows without applying them
    Check(CheckArgs),
    /// Print the JSON Schema of all documents, for editors
    ///
    /// Editors with the YAML language server take it from a first line such as
    /// `# yaml-language-server: $schema=enforcer.json`.
    #[command(after_help = "\
Example:
  enforcer policy schema > enforcer.json")]
    Schema,
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
        PolicyVerb::Schema => {
            io::stdout().write_all(SCHEMA.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
