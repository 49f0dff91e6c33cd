//! The laboratory: namespaces, cgroups, a peer in which every address answers, and a record of what
//! reached it. Everything goes when its value is dropped, and with the process at the latest.
//!
//! It needs root. Without it every constructor fails and says so: a test that cannot run has not
//! passed.

mod arrival;
mod cgroup;
mod confined;
mod echo;
mod netns;
mod peer;
mod recorder;
mod run;
mod world;

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};

pub use arrival::Arrival;
pub use cgroup::{Cgroup, PREFIX, mount};
pub use confined::{Confined, ConfinedRun};
pub use netns::NetNs;
pub use peer::{PORTS, Peer};
pub use recorder::Recorder;
pub use run::{Held, Probe};
pub use world::{CLIENT_V4, CLIENT_V6, GATEWAY_V4, GATEWAY_V6, LINK, World};

/// Fails with a clear message without root.
///
/// # Errors
/// The effective user is not root.
pub fn require_root() -> anyhow::Result<()> {
    ensure!(
        nix::unistd::geteuid().is_root(),
        "needs root: network namespaces, cgroups and packet sockets cannot be made otherwise"
    );
    Ok(())
}

/// A program of this workspace, beside the running one in the target directory.
///
/// # Errors
/// It has not been built.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let own = env::current_exe()?;
    // target/PROFILE/deps/test-HASH or target/PROFILE/program.
    let found = own
        .ancestors()
        .skip(1)
        .take(2)
        .map(|directory: &Path| directory.join(name))
        .find(|path| path.is_file());
    found.with_context(|| {
        format!(
            "`{name}` is not beside {}: build the workspace first",
            own.display()
        )
    })
}
