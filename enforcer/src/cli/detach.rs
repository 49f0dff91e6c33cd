//! `enforcer detach`.

use std::process::ExitCode;

use crate::{kernel::PinDir, workloads::Cgroup2};

/// `enforcer detach`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Removes the programs, tables and links of the instance, those of `exec` included. Nothing else ends
enforcement: not stopping the daemon, not killing it, not upgrading it.")]
pub(super) struct DetachArgs {}

pub(super) fn run(_args: &DetachArgs, instance: &str) -> anyhow::Result<ExitCode> {
    let dir = PinDir::of_instance(instance);
    if !dir.exists() {
        println!("nothing is attached for instance `{instance}`");
        return Ok(ExitCode::SUCCESS);
    }
    for exec in dir.execs()? {
        exec.remove()?;
    }
    dir.remove()?;
    let cgroups = Cgroup2::find()?;
    // Cgroups of `exec` whose processes still run stay: they are only no longer confined.
    let parent = format!("/enforcer-{instance}");
    for path in cgroups.children(&parent) {
        if !cgroups.is_populated(&path) {
            cgroups.remove(&path)?;
        }
    }
    println!("instance `{instance}` is detached: nothing is enforced any more");
    Ok(ExitCode::SUCCESS)
}
