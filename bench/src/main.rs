//! What enforcer costs, beside what one would use instead.
//!
//! Every figure is a ratio of two runs that stand next to each other, one with nothing attached.
//! See docs/performance.md for the method and the results.

mod bed;
mod client;
mod destinations;
mod floor;
mod hooks;
mod own;
mod pairs;
mod quartiles;
mod run;
mod table;

use std::process::ExitCode;

use clap::Parser;

/// Bench of enforcer
#[derive(Parser)]
#[command(bin_name = "enforcer-bench", disable_help_subcommand = true)]
enum Verb {
    /// The rows that must hold, beside the alternatives: under three minutes
    Quick,
    /// Send what the bench says on standard input (started by the bench itself)
    #[command(hide = true)]
    Client,
}

fn main() -> ExitCode {
    let outcome = match Verb::parse() {
        Verb::Quick => run::quick(),
        Verb::Client => client::serve(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
