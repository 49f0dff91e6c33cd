//! `enforcer detach`.

use std::{
    fs::{self, File},
    path::Path,
    process::ExitCode,
};

use anyhow::Context as _;

use crate::{
    control::{
        self, Detached,
        client::{CallError, send},
    },
    kernel::PinDir,
    workloads::Cgroup2,
};

/// `enforcer detach`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Removes the programs, tables and links of the instance, those of `exec` included; a daemon that runs
ends with it. Nothing else ends enforcement: not stopping the daemon, not killing it, not upgrading
it.

Example:
  enforcer detach --instance staging")]
pub(super) struct DetachArgs {}

pub(super) fn run(_args: &DetachArgs, instance: &str) -> anyhow::Result<ExitCode> {
    let dir = PinDir::of_instance(instance);
    let attached = dir.exists();
    end_daemon(instance)?;
    let _no_daemon = hold_lock(&control::lock_path(instance))?;
    if dir.exists() {
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

/// A daemon would attach again what is removed behind its back.
fn end_daemon(instance: &str) -> anyhow::Result<()> {
    match send::<Detached>(&control::socket_path(instance), "/v1/detach", &()) {
        Ok(_) | Err(CallError::NoDaemon { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Waits until the daemon that was asked has gone, and keeps another from starting meanwhile.
fn hold_lock(path: &Path) -> anyhow::Result<File> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("make {}", parent.display()))?;
    }
    let file =
        File::create(path).with_context(|| format!("make {}: are you root?", path.display()))?;
    file.lock()
        .with_context(|| format!("lock {}", path.display()))?;
    Ok(file)
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
