//! `enforcer policy simulate`.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    time::SystemTime,
};

use anyhow::bail;
use clap::Args;

use crate::{
    daemon::simulate::{Change, Judged, Simulation, read, simulate as judge},
    geo::{Agreement, GeoSet},
    policy,
};

/// `enforcer policy simulate`.
#[derive(Args, Debug)]
#[command(after_help = "\
Judges recorded flows as if the given policies and no others were in force, by the same decision as
the kernel. Flows that no policy decided (isolated or unknown workloads, faults) are left out.

Exit status: 0 when no flow would end otherwise, 1 when one would, 2 when something is wrong.

Examples:
  enforcer flows --json > flows.json
  enforcer policy simulate policies/ --flows flows.json
  enforcer policy simulate policies/ --flows flows.json --geo next-month.mmdb --json")]
pub struct SimulateArgs {
    /// Policy files, and directories of them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Recorded flows: what `enforcer flows --json` writes, or one flow a line; - is standard input
    #[arg(long, value_name = "FILE")]
    flows: PathBuf,
    /// Use this MaxMind DB file instead of the built-in database; repeat for several
    #[arg(long, value_name = "FILE")]
    geo: Vec<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Something is wrong with what was given.
const USAGE: u8 = 2;

/// Says which recorded flows would end otherwise.
///
/// # Errors
/// Standard output cannot be written.
pub fn simulate(args: &SimulateArgs) -> anyhow::Result<ExitCode> {
    let simulation = match simulation(args) {
        Ok(simulation) => simulation,
        Err(error) => {
            eprintln!("enforcer: {error:#}");
            return Ok(ExitCode::from(USAGE));
        }
    };
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &simulation)?;
        writeln!(out)?;
    } else {
        write(&simulation, &mut out)?;
    }
    out.flush()?;
    Ok(if simulation.changes.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn simulation(args: &SimulateArgs) -> anyhow::Result<Simulation> {
    let flows = read(&args.flows)?;
    let loaded = match policy::load(&args.paths) {
        Ok(loaded) => loaded,
        Err(diagnostics) => bail!("the policies are broken\n{}", super::rendered(&diagnostics)),
    };
    let geo = GeoSet::open(&args.geo, Agreement::All)?;
    for warning in geo.warnings(SystemTime::now()) {
        eprintln!("enforcer: warning: {warning}");
    }
    Ok(judge(flows, &loaded.policies, &geo)?)
}

fn write(simulation: &Simulation, out: &mut impl Write) -> io::Result<()> {
    for Change { flow, old, new } in &simulation.changes {
        let workload = flow.workload.as_ref().or(flow.cgroup.as_ref());
        writeln!(
            out,
            "{} -> {}  {} -> {}, seen {}x",
            workload.map_or("-", String::as_str),
            flow.to(),
            old.verdict,
            new.verdict,
            flow.count,
        )?;
        writeln!(out, "  was      {}", source(old))?;
        writeln!(out, "  becomes  {}", source(new))?;
    }
    let Simulation {
        judged,
        not_judged,
        changes,
    } = simulation;
    writeln!(
        out,
        "{judged} flows judged, {} would end otherwise",
        changes.len()
    )?;
    if *not_judged > 0 {
        writeln!(out, "{not_judged} flows left out: no policy decided them")?;
    }
    Ok(())
}

fn source(judged: &Judged) -> String {
    match (&judged.policy, &judged.rule, &judged.file) {
        (Some(policy), Some(rule), Some(file)) => format!(
            "rule `{rule}` of policy `{policy}`, {}:{}",
            file.display(),
            judged.line.unwrap_or_default()
        ),
        _ => "no policy selects the workload".to_owned(),
    }
}
