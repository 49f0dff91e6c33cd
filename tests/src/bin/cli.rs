//! `enforcer` as it is in these sources, for the suites to run. See [`enforcer::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    enforcer::cli::main()
}
