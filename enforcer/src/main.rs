//! `enforcer`: see [`enforcer::cli`].

use std::process::ExitCode;

// The static binary's own allocator makes threads wait for each other.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    enforcer::cli::main()
}
