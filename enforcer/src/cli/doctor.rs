//! `enforcer doctor`.

use std::{path::Path, process::ExitCode};

use serde::Serialize;

use crate::{
    kernel::{Build, KernelError, Object, ProgramReport},
    workloads::Cgroup2,
};

/// `enforcer doctor`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit status: 0 if everything that enforcement needs is there, else 1.

Examples:
  enforcer doctor
  enforcer doctor --json > doctor.json         # with the whole log of the verifier, for a report")]
pub(super) struct DoctorArgs {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    kernel: String,
    checks: Vec<Check>,
    programs: Vec<ProgramReport>,
    /// Of the program that the kernel refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    verifier_log: Option<String>,
}

#[derive(Serialize)]
struct Check {
    name: &'static str,
    ok: bool,
    /// What was found, or what to do.
    detail: String,
}

pub(super) fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let object = Object::load(Build::Plain);
    let programs = object.as_ref().map(Object::report).unwrap_or_default();
    let verifier_log = if let Err(KernelError::Refused { refusal, .. }) = &object {
        Some(refusal.log().to_owned())
    } else {
        None
    };
    let checks = vec![
        Check::of(
            "cgroup2",
            Cgroup2::find().map(|cgroups| format!("mounted at {}", cgroups.mount().display())),
        ),
        Check::of(
            "programs",
            object.map(|_| "every kernel program loads".to_owned()),
        ),
        Check {
            name: "bpffs",
            ok: true,
            detail: if Path::new("/sys/fs/bpf").is_dir() {
                "at /sys/fs/bpf; mounted on first use if it is not".to_owned()
            } else {
                "is mounted on first use".to_owned()
            },
        },
    ];
    let kernel = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
    let report = Report {
        kernel,
        checks,
        programs,
        verifier_log,
    };
    let ok = report.checks.iter().all(|check| check.ok);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
    }
    Ok(if ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Check {
    fn of<E: std::error::Error + Send + Sync + 'static>(
        name: &'static str,
        outcome: Result<String, E>,
    ) -> Self {
        match outcome {
            Ok(detail) => Self {
                name,
                ok: true,
                detail,
            },
            Err(error) => Self {
                name,
                ok: false,
                detail: format!("{:#}", anyhow::Error::new(error)),
            },
        }
    }
}

fn print(report: &Report) {
    println!("kernel     {}", report.kernel);
    for Check { name, ok, detail } in &report.checks {
        println!(
            "{name:<10} {} {detail}",
            if *ok { "ok " } else { "MISSING" }
        );
    }
    for ProgramReport {
        name,
        verified_instructions,
    } in &report.programs
    {
        match verified_instructions {
            Some(count) => println!("  {name:<9} {count:>7} instructions verified"),
            None => println!("  {name:<9} loads"),
        }
    }
}
