//! The verbs of `enforcer policy` that ask the daemon.

mod print;

use std::{
    io::{self, IsTerminal as _},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::ensure;
use clap::Args;
use hyper::Method;
use serde::Serialize;

use self::print::{print_entries, print_history, print_pushed};
#[cfg(feature = "cluster")]
use super::cluster::{self, ClusterArgs};
use super::{color, rendered};
use crate::{
    control::{
        self, Change, Coverage, PolicyEntry, PolicyFile, PolicyText, PushRequest, Pushed, Revision,
        RollbackRequest, Status,
        client::{call, send},
    },
    policy::{Bundle, Color},
};

/// `enforcer policy push`.
#[derive(Args, Debug)]
#[command(after_help = "\
Pushed policies stand beside those of `--policies` directories: all are in force together, and a name
that occurs in both is an error. A pushed document takes the place of an earlier pushed one of the same
kind and name; the others stay, unless --prune. Everything is checked before anything changes, and the
change is one step: no packet sees a mix.

Exit status: 0 when it is in force (with --dry-run: when it would load), 1 when it is refused.")]
pub(super) struct PushArgs {
    /// Policy files, and directories of them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Remove what was pushed before and is not among these
    #[arg(long)]
    prune: bool,
    /// Say what would change for which workload, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Return only when it has been seen that every workload is under the new policies
    #[arg(long)]
    wait: bool,
    #[cfg(feature = "cluster")]
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// `enforcer policy list`.
#[derive(Args, Debug)]
pub(super) struct ListArgs {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

/// `enforcer policy show`.
#[derive(Args, Debug)]
pub(super) struct ShowArgs {
    /// The policy: NAME, or NAMESPACE/NAME
    #[arg(value_name = "NAME")]
    name: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// `enforcer policy diff`.
#[derive(Args, Debug)]
#[command(after_help = "\
Compares these files with all that was pushed: what is pushed and not among them counts as removed.

Exit status: 0 when a push with --prune would change nothing, 1 when it would.")]
pub(super) struct DiffArgs {
    /// Policy files, and directories of them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// `enforcer policy history`.
#[derive(Args, Debug)]
pub(super) struct HistoryArgs {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

/// `enforcer policy rollback`.
#[derive(Args, Debug)]
pub(super) struct RollbackArgs {
    /// The revision to go back to [default: the one before the one in force]
    #[arg(value_name = "REV")]
    revision: Option<u64>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn push(args: &PushArgs, instance: &str) -> anyhow::Result<ExitCode> {
    #[cfg(feature = "cluster")]
    if args.cluster.cluster {
        let push = cluster::Push {
            paths: &args.paths,
            dry_run: args.dry_run,
            wait: args.wait,
            json: args.json,
        };
        return cluster::push(&push, &args.cluster);
    }
    let request = request(&args.paths, args.prune, args.dry_run)?;
    let pushed: Pushed = send(&control::socket_path(instance), "/v1/policies", &request)?;
    if args.wait && !args.dry_run {
        confirm(&pushed, instance)?;
    }
    if args.json {
        return json(&pushed);
    }
    print_pushed(&pushed);
    Ok(ExitCode::SUCCESS)
}

pub(super) fn diff(args: &DiffArgs, instance: &str) -> anyhow::Result<ExitCode> {
    let request = request(&args.paths, true, true)?;
    let pushed: Pushed = send(&control::socket_path(instance), "/v1/policies", &request)?;
    let same = pushed
        .documents
        .iter()
        .all(|document| document.change == Change::Unchanged);
    if args.json {
        json(&pushed)?;
    } else {
        print_pushed(&pushed);
    }
    Ok(if same {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

pub(super) fn list(args: &ListArgs, instance: &str) -> anyhow::Result<ExitCode> {
    let entries: Vec<PolicyEntry> = get("/v1/policies", instance)?;
    if args.json {
        return json(&entries);
    }
    print_entries(&entries);
    Ok(ExitCode::SUCCESS)
}

pub(super) fn show(args: &ShowArgs, instance: &str) -> anyhow::Result<ExitCode> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '/';
    ensure!(
        args.name.chars().all(plain),
        "`{}` is no name of a policy",
        args.name
    );
    let text: PolicyText = get(&format!("/v1/policies/{}", args.name), instance)?;
    if args.json {
        return json(&text);
    }
    println!("# {}:{}\n{}", text.file, text.line, text.text.trim_end());
    Ok(ExitCode::SUCCESS)
}

pub(super) fn history(args: &HistoryArgs, instance: &str) -> anyhow::Result<ExitCode> {
    let revisions: Vec<Revision> = get("/v1/revisions", instance)?;
    if args.json {
        return json(&revisions);
    }
    print_history(&revisions);
    Ok(ExitCode::SUCCESS)
}

pub(super) fn rollback(args: &RollbackArgs, instance: &str) -> anyhow::Result<ExitCode> {
    let request = RollbackRequest {
        revision: args.revision,
        color: in_color(),
    };
    let pushed: Pushed = send(&control::socket_path(instance), "/v1/rollback", &request)?;
    if args.json {
        return json(&pushed);
    }
    print_pushed(&pushed);
    Ok(ExitCode::SUCCESS)
}

/// Reads the files here: the daemon may see other ones under these names, or none.
fn request(paths: &[PathBuf], prune: bool, dry_run: bool) -> anyhow::Result<PushRequest> {
    let bundle = Bundle::read(paths).map_err(|findings| anyhow::anyhow!(rendered(&findings)))?;
    ensure!(
        !bundle.files.is_empty(),
        "no `*.yaml` or `*.yml` file in these directories"
    );
    let file = |file: crate::policy::BundleFile| PolicyFile {
        path: file.path,
        text: file.text,
    };
    Ok(PushRequest {
        files: bundle.files.into_iter().map(file).collect(),
        prune,
        dry_run,
        color: in_color(),
    })
}

/// The daemon answers when every tag is written. This asks the kernel's tables whether it is so.
fn confirm(pushed: &Pushed, instance: &str) -> anyhow::Result<()> {
    let status: Status = get("/v1/status", instance)?;
    ensure!(
        status.generation >= Some(pushed.generation) && status.enforcing,
        "generation {} is not in force: `enforcer status` says what is",
        pushed.generation
    );
    let damaged = |workload: &&control::Workload| workload.coverage == Coverage::Damaged;
    if let Some(workload) = status.workloads.iter().find(damaged) {
        anyhow::bail!("the tag of {} cannot be read", workload.cgroup);
    }
    Ok(())
}

fn get<T: serde::de::DeserializeOwned>(path: &str, instance: &str) -> anyhow::Result<T> {
    Ok(call(&control::socket_path(instance), &Method::GET, path)?)
}

fn json(answer: &impl Serialize) -> anyhow::Result<ExitCode> {
    println!("{}", serde_json::to_string_pretty(answer)?);
    Ok(ExitCode::SUCCESS)
}

/// Findings go to standard error.
fn in_color() -> bool {
    color(io::stderr().is_terminal()) == Color::Always
}
