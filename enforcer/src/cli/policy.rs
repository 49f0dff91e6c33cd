//! `enforcer policy`: files, and what the daemon has of them.

mod check;
#[cfg(feature = "cluster")]
mod cluster;
#[cfg(feature = "kernel")]
mod daemon;
mod simulate;

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

pub(super) use check::color;
pub use check::{CheckArgs, Format, check};
use clap::{Args, Subcommand};
pub use simulate::{SimulateArgs, simulate};

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
    /// Say which recorded flows would end otherwise under other policies
    Simulate(SimulateArgs),
    /// Put policies into force through the daemon, all or none of them
    #[cfg(feature = "kernel")]
    Push(daemon::PushArgs),
    /// List the policies in force
    #[cfg(feature = "kernel")]
    List(daemon::ListArgs),
    /// Print the text of a policy in force
    #[cfg(feature = "kernel")]
    Show(daemon::ShowArgs),
    /// Say what a push of these files alone would change
    #[cfg(feature = "kernel")]
    Diff(daemon::DiffArgs),
    /// List what was pushed, when and by whom
    #[cfg(feature = "kernel")]
    History(daemon::HistoryArgs),
    /// Put an earlier revision into force again
    #[cfg(feature = "kernel")]
    Rollback(daemon::RollbackArgs),
    /// Give all nodes of a cluster what some of them try, or take it back
    #[cfg(feature = "cluster")]
    Promote(cluster::PromoteArgs),
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

/// Runs `enforcer policy VERB` for an instance.
///
/// # Errors
/// As the verb.
#[cfg_attr(
    not(feature = "kernel"),
    expect(unused_variables, reason = "only the daemon's verbs ask for it")
)]
pub fn run(args: &PolicyArgs, instance: &str) -> anyhow::Result<ExitCode> {
    match &args.verb {
        PolicyVerb::Check(args) => check(args),
        PolicyVerb::Simulate(args) => simulate(args),
        #[cfg(feature = "kernel")]
        PolicyVerb::Push(args) => daemon::push(args, instance),
        #[cfg(feature = "kernel")]
        PolicyVerb::List(args) => daemon::list(args, instance),
        #[cfg(feature = "kernel")]
        PolicyVerb::Show(args) => daemon::show(args, instance),
        #[cfg(feature = "kernel")]
        PolicyVerb::Diff(args) => daemon::diff(args, instance),
        #[cfg(feature = "kernel")]
        PolicyVerb::History(args) => daemon::history(args, instance),
        #[cfg(feature = "kernel")]
        PolicyVerb::Rollback(args) => daemon::rollback(args, instance),
        #[cfg(feature = "cluster")]
        PolicyVerb::Promote(args) => cluster::promote(args),
        PolicyVerb::Schema => {
            io::stdout().write_all(SCHEMA.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
