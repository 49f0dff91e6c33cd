//! The command line: one file per verb.

mod crds;
#[cfg(feature = "kernel")]
mod detach;
#[cfg(feature = "kernel")]
mod doctor;
#[cfg(feature = "kernel")]
mod exec;
mod explain;
#[cfg(feature = "kernel")]
pub mod flows;
pub mod geo;
#[cfg(feature = "kernel")]
mod isolate;
pub mod policy;
#[cfg(feature = "kernel")]
mod run;
#[cfg(feature = "kernel")]
mod status;
#[cfg(feature = "kernel")]
pub mod watch;

use std::{env, process::ExitCode};

use clap::{Parser, Subcommand};

/// Keeps the connections of chosen workloads inside permitted jurisdictions
///
/// Kernel programs attached to cgroups judge where each connection goes, by country, network and
/// autonomous system. `enforcer exec -- CMD` confines one command; `enforcer run` follows the
/// workloads of a host.
#[derive(Parser, Debug)]
#[command(version, propagate_version = true, disable_help_subcommand = true)]
struct Cli {
    /// Keeps pins, socket and state apart from other instances
    #[arg(long, global = true, value_name = "NAME", default_value = "default", value_parser = instance)]
    instance: String,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Run one command confined; exits as the command does, or with 125
    #[cfg(feature = "kernel")]
    Exec(Box<exec::ExecArgs>),
    /// Follow the workloads of this host and keep them to their policies
    #[cfg(feature = "kernel")]
    Run(run::RunArgs),
    /// Say how a destination is decided, and which line of which policy says so
    Explain(explain::ExplainArgs),
    /// Check policies, and push them to the daemon
    Policy(policy::PolicyArgs),
    /// Ask the geo databases
    Geo(GeoArgs),
    /// Print the CustomResourceDefinitions of the documents that a cluster stores
    Crds(crds::CrdsArgs),
    /// Say what is enforced, with what, and what was counted
    #[cfg(feature = "kernel")]
    Status(status::StatusArgs),
    /// List the workloads and the policies that apply to each
    #[cfg(feature = "kernel")]
    Workloads(status::WorkloadsArgs),
    /// Cut a workload off for a while
    #[cfg(feature = "kernel")]
    Isolate(isolate::IsolateArgs),
    /// End the isolation of a workload before its time
    #[cfg(feature = "kernel")]
    Release(isolate::ReleaseArgs),
    /// List who went where, and what became of it
    #[cfg(feature = "kernel")]
    Flows(flows::FlowsArgs),
    /// Show what is refused as it happens
    #[cfg(feature = "kernel")]
    Watch(watch::WatchArgs),
    /// Say whether this machine can enforce, and what is missing
    #[cfg(feature = "kernel")]
    Doctor(doctor::DoctorArgs),
    /// End enforcement of this instance: the only way to end it
    #[cfg(feature = "kernel")]
    Detach(detach::DetachArgs),
}

/// `enforcer geo`.
#[derive(clap::Args, Debug)]
struct GeoArgs {
    #[command(subcommand)]
    verb: GeoVerb,
}

#[derive(Subcommand, Debug)]
enum GeoVerb {
    /// Say where an address is
    Lookup(geo::LookupArgs),
    /// Say which databases are in use, how old they are, and under which licence
    Info(geo::InfoArgs),
    /// Say what another database would change, addresses and verdicts
    Diff(geo::DiffArgs),
}

/// Runs the command line.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    #[cfg(feature = "kernel")]
    if !matches!(cli.verb, Verb::Exec(_) | Verb::Run(_)) {
        die_with_the_pipe();
    }
    #[cfg(feature = "kernel")]
    let failure = if matches!(cli.verb, Verb::Exec(_)) {
        125
    } else {
        1
    };
    #[cfg(not(feature = "kernel"))]
    let failure = 1;
    match run(&cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("enforcer: {error:#}");
            ExitCode::from(failure)
        }
    }
}

/// Says what is wrong with the arguments, or prints the help that was asked for. `exec` has a status
/// of its own for its failures: 2 might be the command's.
fn usage(error: &clap::Error) -> ExitCode {
    let mut words = env::args_os().take_while(|word| word != "--");
    let code = match error.exit_code() {
        0 => 0,
        _ if words.any(|word| word == "exec") => 125,
        code => code as u8,
    };
    // Where nobody reads, the status is all there is to say.
    let _ = error.print();
    ExitCode::from(code)
}

/// `enforcer status | head` ends quietly, as other commands do. What keeps something going must not
/// die of a reader that went away.
#[cfg(feature = "kernel")]
fn die_with_the_pipe() {
    // SAFETY: no other thread has been started yet, and the default action is always valid.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}

fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    let done = |()| ExitCode::SUCCESS;
    match &cli.verb {
        #[cfg(feature = "kernel")]
        Verb::Exec(args) => exec::run(args, &cli.instance),
        #[cfg(feature = "kernel")]
        Verb::Run(args) => run::run(args, &cli.instance),
        Verb::Explain(args) => explain::run(args, &cli.instance),
        Verb::Policy(args) => policy::run(args, &cli.instance),
        Verb::Geo(args) => match &args.verb {
            GeoVerb::Lookup(args) => geo::lookup(args).map(done),
            GeoVerb::Info(args) => geo::info(args).map(done),
            GeoVerb::Diff(args) => geo::diff(args),
        },
        Verb::Crds(args) => crds::run(args).map(done),
        #[cfg(feature = "kernel")]
        Verb::Status(args) => status::status(args, &cli.instance),
        #[cfg(feature = "kernel")]
        Verb::Workloads(args) => status::workloads(args, &cli.instance),
        #[cfg(feature = "kernel")]
        Verb::Isolate(args) => isolate::isolate(args, &cli.instance),
        #[cfg(feature = "kernel")]
        Verb::Release(args) => isolate::release(args, &cli.instance),
        #[cfg(feature = "kernel")]
        Verb::Flows(args) => flows::run(args, &cli.instance),
        #[cfg(feature = "kernel")]
        Verb::Watch(args) => watch::run(args, &cli.instance),
        #[cfg(feature = "kernel")]
        Verb::Doctor(args) => doctor::run(args),
        #[cfg(feature = "kernel")]
        Verb::Detach(args) => detach::run(args, &cli.instance),
    }
}

/// A name that is one component of a path.
fn instance(name: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.len() <= 64 && name.chars().all(plain) {
        Ok(name.to_owned())
    } else {
        Err("use 1 to 64 letters, digits, `-` and `_`".to_owned())
    }
}
