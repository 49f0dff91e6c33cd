//! Tries to reach what its arguments name, and says what happened. See [`enforcer_tests::probe`].

use std::{io, time::Duration};

use clap::Parser;
use enforcer_tests::probe::{self, Attempt, Options};

/// Tries ways out of a machine: one attempt per argument, one line of JSON per outcome.
#[derive(Parser)]
struct Arguments {
    /// No wait is longer than this many milliseconds.
    #[arg(long, default_value_t = 1000)]
    timeout_ms: u64,

    /// What packets carry.
    #[arg(long, default_value = "enforcer-probe")]
    marker: String,

    /// `KIND DESTINATION...`, each in one argument: `"tcp4 203.0.113.1:443"`.
    #[arg(required = true)]
    attempts: Vec<Attempt>,
}

fn main() -> anyhow::Result<()> {
    let Arguments {
        timeout_ms,
        marker,
        attempts,
    } = Arguments::parse();
    let options = Options {
        timeout: Duration::from_millis(timeout_ms),
        marker,
    };
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    Ok(probe::run(&attempts, &options, &mut input, &mut output)?)
}
