//! Runs each stage once, for callgrind to count its instructions: see `cargo xtask check speed`.
//!
//! Instructions are the same on a quiet machine and on a busy one, so a budget for them can be narrow.
//! They are not time: what waits for memory or for the kernel is measured by the bench.

mod counted;
mod stages;

use std::process::ExitCode;

use anyhow::{Result, bail};

use self::{counted::Counted, stages::decide};

const USAGE: &str = "usage: enforcer-guards all|decisions";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut counted = Counted::default();
    match std::env::args().nth(1).as_deref() {
        Some("all") => stages::all(&mut counted)?,
        // Without the world database, so in a second.
        Some("decisions") => decide::small(&mut counted)?,
        _ => bail!(USAGE),
    }
    print!("{counted}");
    Ok(())
}
