//! `enforcer detach`.

use std::process::ExitCode;

use crate::{kernel::PinDir, workloads::Cgroup2};

/// `enforcer detach`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Removes the programs, tables and links of the instance, those of `exec` included. Nothing else ends
enforcement: not stopping the daemon, not killing it, not upgrading it.

Example:
  enforcer detach --instance staging")]
pub(super) struct DetachArgs {}

pub(super) fn run(_args: &DetachArgs, instance: &str) -> anyhow::Result<ExitCode> {
    let dir = PinDir::of_instance(instance);
    let attached = dir.exists();
    if attached {
        for exec in dir.execs()? {
            exec.remove()?;
        }
        dir.remove()?;
    }
    remove_cgroups(&Cgroup2::find()?, &format!("/enforcer-{instance}"))?;
    if attached {
        println!("instance `{instance}` is detached: nothing is enforced any more");
    } else {
        println!("nothing is attached for instance `{instance}`");
    }
    Ok(ExitCode::SUCCESS)
}

/// Those of `exec`. Where processes still run they stay, and are only no longer confined.
fn remove_cgroups(cgroups: &Cgroup2, parent: &str) -> anyhow::Result<()> {
    for path in cgroups.children(parent) {
        if !cgroups.is_populated(&path) {
            cgroups.remove(&path)?;
        }
    }
    if cgroups.children(parent).is_empty() {
        cgroups.remove(parent)?;
    }
    Ok(())
}
