//! The verbs of development: `cargo xtask VERB`. One file for each.

mod arch;
mod bench;
mod build;
mod check;
mod cmd;
mod demo;
mod fuzz;
mod geo;
mod image;
mod manifests;
mod screenshots;
mod setup;
mod test;
mod tree;

use std::process::ExitCode;

use clap::Parser;

/// Development of enforcer
#[derive(Parser)]
#[command(bin_name = "cargo xtask", disable_help_subcommand = true)]
enum Verb {
    /// Find or install what builds and tests need
    Setup,
    /// Build target/release/enforcer
    Build,
    /// Everything about the tree that a machine can judge
    Check(check::Args),
    /// Run the tests, those that need root included
    Test(test::Args),
    /// Show a confined process at work, in an internet of its own; fails unless all goes as told
    Demo,
    /// Measure what enforcer costs, beside what one would use instead (needs root)
    #[command(subcommand)]
    Bench(bench::Args),
    /// Read messages as the kernel programs do, beside an implementation by others
    Fuzz(fuzz::Args),
    /// Draw the pictures of the documentation
    Screenshots,
    /// Build the container image: target/image/enforcer.tar
    Image,
    /// Write plain Kubernetes manifests from the Helm chart
    Manifests,
    /// Rebuild the built-in geo database from Debian's package of IPFire Location
    Geo(geo::Args),
}

fn main() -> ExitCode {
    let outcome = match Verb::parse() {
        Verb::Setup => setup::run().map(drop),
        Verb::Build => build::run(),
        Verb::Check(args) => check::run(&args),
        Verb::Test(args) => test::run(&args),
        Verb::Demo => demo::run(),
        Verb::Bench(args) => bench::run(args),
        Verb::Fuzz(args) => fuzz::run(&args),
        Verb::Screenshots => screenshots::run(),
        Verb::Image => image::run(),
        Verb::Manifests => manifests::run(),
        Verb::Geo(args) => geo::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
