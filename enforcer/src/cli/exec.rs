//! `enforcer exec`.

use std::{ffi::OsString, path::PathBuf, process::ExitCode, time::SystemTime};

use crate::{
    daemon::exec::{Plan, run as run_plan},
    events::SinkSpec,
    geo::{Agreement, GeoSet},
    kernel::{Build, Loading},
    policy::{self, Mode},
};

/// `enforcer exec`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit status: the command's own; 128 and the number for a signal; 126 or 127 if it cannot be started;
125 if enforcement cannot be set up, and then the command was not started.

Examples:
  enforcer exec -- curl https://example.org
  enforcer exec --policy policies/sovereign-llm.yaml --events denied.ndjson -- python3 app.py")]
pub(super) struct ExecArgs {
    /// Policy file or directory; repeat for several. Those that select `exec` apply, and all of them
    /// must allow. Without any, the built-in example `sovereign-llm` applies
    #[arg(long, value_name = "FILE|DIR")]
    policy: Vec<PathBuf>,
    /// Use this MaxMind DB file instead of the built-in database; repeat for several
    #[arg(long, value_name = "FILE")]
    geo: Vec<PathBuf>,
    /// Refuse nothing; record what would have been refused
    #[arg(long)]
    audit: bool,
    /// Where events go: a file, or - for standard output
    #[arg(long, value_name = "FILE|-", default_value = "-")]
    events: SinkSpec,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

pub(super) fn run(args: &ExecArgs, instance: &str) -> anyhow::Result<ExitCode> {
    let loaded = if args.policy.is_empty() {
        policy::load_default()
    } else {
        policy::load(&args.policy)
    };
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(diagnostics) => {
            eprint!("{}", super::policy::rendered(&diagnostics));
            return Ok(ExitCode::from(125));
        }
    };
    let mut policies = loaded.policies;
    let names = policies.iter().any(|policy| policy.dns.is_some());
    let programs = Loading::start(Build::Command { names });
    if args.audit {
        for policy in &mut policies {
            policy.mode = Mode::Audit;
        }
    }
    let geo = GeoSet::open(&args.geo, Agreement::All)?;
    for warning in geo.warnings(SystemTime::now()) {
        eprintln!("enforcer: warning: {warning}");
    }
    let outcome = run_plan(Plan {
        command: args.command.clone(),
        policies,
        geo,
        sinks: vec![args.events.clone()],
        instance: instance.to_owned(),
        programs,
    })?;
    Ok(ExitCode::from(outcome.code()))
}
