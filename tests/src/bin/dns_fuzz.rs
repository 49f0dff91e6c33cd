//! Reads DNS answers as the kernel programs do, and as others do, until they differ or time is up.

use std::{num::NonZero, process::ExitCode, thread, time::Instant};

use clap::Parser;
use enforcer_tests::dns;

#[derive(Parser)]
struct Arguments {
    /// How many messages
    #[arg(long, default_value_t = 10_000_000)]
    inputs: u64,
    /// The first seed; each thread has its own
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> ExitCode {
    let Arguments { inputs, seed } = Arguments::parse();
    let threads = thread::available_parallelism().map_or(1, NonZero::get) as u64;
    let began = Instant::now();
    let outcomes: Vec<Result<u64, String>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || dns::compare(seed + thread, inputs.div_ceil(threads)))
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err("a panic".to_owned())))
            .collect()
    });
    let mut readable = 0;
    for outcome in outcomes {
        match outcome {
            Ok(count) => readable += count,
            Err(difference) => {
                eprintln!("{difference}");
                return ExitCode::FAILURE;
            }
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    println!("{inputs} messages, {readable} of them readable, no difference, {seconds:.1} s");
    ExitCode::SUCCESS
}
