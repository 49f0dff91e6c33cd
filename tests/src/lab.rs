//! The laboratory: namespaces, cgroups, a peer in which every address answers, and a record of what
//! reached it. Everything goes when its value is dropped, and with the process at the latest.
//!
//! It needs root. Without it every constructor fails and says so: a test that cannot run has not
//! passed.

mod api_server;
mod arrival;
mod cgroup;
mod confined;
pub mod containerd;
mod cri;
mod echo;
mod event;
mod event_file;
mod first_records;
mod geo;
mod instance;
mod mount_ns;
mod namespace;
mod netns;
mod node;
mod peer;
mod pod;
pub mod receivers;
mod recorder;
mod resolver;
mod run;
mod ways;
mod world;

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};

pub use api_server::{ApiServer, Gone};
pub use arrival::Arrival;
pub use cgroup::{Cgroup, PREFIX, mount, wait_until_empty};
pub use confined::{Confined, ConfinedRun};
pub use cri::ContainerRuntime;
pub use event::{Refusal, assert_fields, assert_there};
pub use event_file::EventFile;
pub use first_records::{RecordSocket, Refused};
pub use geo::write_geo;
pub use instance::Instance;
pub use mount_ns::MountNs;
pub use netns::NetNs;
pub use node::{Daemon, Node};
pub use peer::{PORTS, Peer};
pub use pod::Pod;
pub use recorder::Recorder;
pub use resolver::Resolver;
pub use run::{Held, Probe};
pub use ways::{WAYS, Way, defined};
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

/// A program of this workspace, beside the running one in the target directory. `ENFORCER_BIN` names
/// the `enforcer` to test; without it, it is the one built with the tests.
///
/// # Errors
/// It has not been built.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let name = match (name, env::var_os("ENFORCER_BIN")) {
        ("enforcer", Some(path)) => return Ok(path.into()),
        ("enforcer", None) => "enforcer-cli",
        (other, _) => other,
    };
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

/// A policy of this repository, by its file name.
#[must_use]
pub fn policy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../policies")
        .join(name)
}
