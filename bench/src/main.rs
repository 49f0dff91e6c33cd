//! What enforcer costs, beside what one would use instead.
//!
//! Every figure is a ratio of two runs that stand next to each other, one with nothing attached.
//! See docs/performance.md for the method and the results.

mod bed;
mod client;
mod destinations;
mod events;
mod floor;
mod growth;
mod hooks;
mod machine;
mod memory;
mod names;
mod node;
mod outcome;
mod own;
mod pairs;
mod quartiles;
mod report;
mod rivals;
mod run;
mod stage;
mod start;
mod swap;
mod table;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::Parser;

/// Bench of enforcer
#[derive(Parser)]
#[command(bin_name = "enforcer-bench", disable_help_subcommand = true)]
enum Verb {
    /// Measure, print, and write the result
    Run {
        scale: run::Scale,
        /// Where cargo builds: the result goes to `bench/result.json` there
        #[arg(long, default_value = "target")]
        target: PathBuf,
    },
    /// Write docs/performance.md from the last result
    Report {
        /// Where cargo builds
        #[arg(long, default_value = "target")]
        target: PathBuf,
    },
    /// Nothing but the records of refusals, from the kernel to sinks
    Events {
        /// How often each is measured
        #[arg(long, default_value_t = 5)]
        rounds: usize,
    },
    /// Nothing but the way from nothing to enforcing
    Start {
        /// How often each is measured
        #[arg(long, default_value_t = 11)]
        rounds: usize,
    },
    /// Nothing but a daemon: pushes, new cgroups, records, and what it takes when idle
    Node {
        /// How many pushes, cgroups and records
        #[arg(long, default_value_t = 50)]
        times: usize,
    },
    /// Nothing but enforcer and empty programs under one load, to see what a change of code does
    Own {
        /// What to send
        load: client::Load,
        /// Over IPv6
        #[arg(long)]
        v6: bool,
        /// How many pairs
        #[arg(long, default_value_t = 25)]
        pairs: usize,
    },
    /// Nothing but one load under enforcer, to be looked at with perf
    Profile {
        /// What to send
        load: client::Load,
        /// For how long
        #[arg(long, default_value_t = 10)]
        seconds: u64,
    },
    /// Send what the bench says on standard input (started by the bench itself)
    #[command(hide = true)]
    Client,
}

fn main() -> ExitCode {
    let outcome = match Verb::parse() {
        Verb::Run { scale, target } => run::bench(scale, &target),
        Verb::Report { target } => report::write(&target),
        Verb::Events { rounds } => run::events(rounds).map(drop),
        Verb::Start { rounds } => run::start(rounds).map(drop),
        Verb::Node { times } => run::node(times).map(drop),
        Verb::Own { load, v6, pairs } => run::own(load, v6, pairs),
        Verb::Profile { load, seconds } => run::profile(load, Duration::from_secs(seconds)),
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
