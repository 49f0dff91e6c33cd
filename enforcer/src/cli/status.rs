//! `enforcer status` and `enforcer workloads`.

use std::process::ExitCode;

use hyper::Method;

use crate::{
    control::{
        self, ClusterStatus, Coverage, DeviceCoverage, Status, Workload,
        client::{CallError, call},
    },
    daemon::status::of_pins,
};

/// `enforcer status`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit status: 0 while something is enforced, with a daemon or without; 3 when nothing is; with
--daemon 1 when no daemon answers.

Examples:
  enforcer status
  enforcer status --daemon                     # the probe of the DaemonSet
  enforcer status --json --instance staging")]
pub(super) struct StatusArgs {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Fail unless a daemon answers, even though what one left is in force
    #[arg(long)]
    daemon: bool,
}

/// `enforcer workloads`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  enforcer workloads
  enforcer workloads --json")]
pub(super) struct WorkloadsArgs {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

/// Nothing is enforced.
const IDLE: u8 = 3;

pub(super) fn status(args: &StatusArgs, instance: &str) -> anyhow::Result<ExitCode> {
    let status = if args.daemon {
        ask_daemon(instance)?
    } else {
        ask(instance)?
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&status)?);
    } else {
        print(&status);
    }
    Ok(if status.enforcing {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(IDLE)
    })
}

pub(super) fn workloads(args: &WorkloadsArgs, instance: &str) -> anyhow::Result<ExitCode> {
    let status = ask(instance)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&status.workloads)?);
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "{:<48} {:<11} {:>5}  {:<9} POLICIES",
        "CGROUP", "COVERAGE", "CLASS", "INTERFACE"
    );
    for workload in &status.workloads {
        let class = workload
            .class
            .map_or_else(|| "-".to_owned(), |class| class.to_string());
        let policies = workload.policies.join(", ");
        let device = workload.device.as_ref().map_or("-", interface);
        println!(
            "{:<48} {:<11} {class:>5}  {device:<9} {policies}",
            workload.cgroup,
            name(workload),
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// The daemon, or the pins when none runs.
fn ask(instance: &str) -> anyhow::Result<Status> {
    match ask_daemon(instance) {
        Err(CallError::NoDaemon { .. }) => Ok(of_pins(instance)?),
        answer => Ok(answer?),
    }
}

fn ask_daemon(instance: &str) -> Result<Status, CallError> {
    call(&control::socket_path(instance), &Method::GET, "/v1/status")
}

fn interface(device: &DeviceCoverage) -> &'static str {
    match (device.covered, device.interfaces.is_empty()) {
        (true, _) => "judged",
        (false, false) => "in part",
        (false, true) => "not",
    }
}

fn name(workload: &Workload) -> &'static str {
    if workload.isolated_until_ns.is_some() {
        return "isolated";
    }
    match workload.coverage {
        Coverage::Covered => "covered",
        Coverage::Unselected => "unselected",
        Coverage::RootHold => "root (hold)",
        Coverage::RootDeny => "root (deny)",
        Coverage::RootAllow => "root (allow)",
        Coverage::Damaged => "damaged",
    }
}

fn print_cluster(cluster: &ClusterStatus) {
    let documents = cluster.documents;
    match (&cluster.down_since, &cluster.error) {
        (Some(since), Some(error)) => println!(
            "cluster    does not answer since {since}; {documents} documents of it stay in force: {error}"
        ),
        _ => println!("cluster    node {}, {documents} documents", cluster.node),
    }
    for refused in &cluster.refused {
        println!("refused    {refused}");
    }
}

fn print(status: &Status) {
    println!("instance   {}", status.instance);
    let enforcing = if status.enforcing {
        "enforcing"
    } else {
        "not enforcing"
    };
    println!("daemon     {}, {enforcing}", status.daemon);
    if let Some(generation) = status.generation {
        let adopted = if status.adopted { ", adopted" } else { "" };
        println!("image      generation {generation}{adopted}");
    }
    if let Some(revision) = status.revision {
        println!("pushed     revision {revision}");
    }
    if let Some(cluster) = &status.cluster {
        print_cluster(cluster);
    }
    for isolation in &status.isolations {
        let by = isolation.author.as_ref().map(ToString::to_string);
        println!(
            "isolated   {} until {} by {}: {}",
            isolation.workload,
            isolation.until,
            by.as_deref().unwrap_or("nobody knows who"),
            isolation.reason
        );
    }
    for policy in &status.policies {
        println!(
            "policy     {} ({}), {}",
            policy.name, policy.mode, policy.source
        );
    }
    for database in &status.databases {
        println!(
            "database   {}, {} days old",
            database.name, database.age_days
        );
    }
    for cgroup in &status.cgroups {
        println!("attached   {}: {}", cgroup.cgroup, cgroup.hooks.join(", "));
    }
    println!("workloads  {}", status.workloads.len());
    for workload in &status.workloads {
        if let Some(reason) = workload.device.as_ref().and_then(|it| it.reason.as_ref()) {
            println!("uncovered  {}: {reason}", workload.cgroup);
        }
    }
    println!(
        "memory     {:.1} MiB of kernel memory",
        status.memory_bytes as f64 / 1_048_576.0
    );
    for counts in [&status.counters, &status.faults, &status.lost] {
        for count in counts.iter().filter(|count| count.count > 0) {
            println!("counted    {} {}", count.count, count.name);
        }
    }
    for decision in &status.decisions {
        println!(
            "decided    {}/{}: {} allowed, {} denied, {} would be denied",
            decision.policy, decision.rule, decision.allowed, decision.denied, decision.would_deny
        );
    }
    for sink in &status.sinks {
        println!(
            "sink       {}: {} delivered, {} waiting, {} lost",
            sink.name, sink.delivered, sink.waiting, sink.lost
        );
        if let (Some(error), "failing") = (&sink.error, sink.state.as_str()) {
            println!("           fails: {error}");
        }
    }
    if let Some(error) = &status.last_error {
        println!("error      {error}");
    }
}
