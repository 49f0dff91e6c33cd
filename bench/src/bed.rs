//! Where runs happen.

use anyhow::Result;
use enforcer_tests::lab::{Cgroup, World};

use crate::client::Place;

/// Namespaces of a client and of its peer, in which every address answers.
pub(crate) struct Bed {
    pub(crate) world: World,
}

impl Bed {
    /// A new one.
    ///
    /// # Errors
    /// Without root, or without `ip`.
    pub(crate) fn new() -> Result<Self> {
        let world = World::new()?;
        for side in [&world.client, &world.peer] {
            // Otherwise the kernel keeps a record of each address that was ever connected to.
            side.sysctl("ipv4/tcp_no_metrics_save", "1")?;
        }
        Ok(Self { world })
    }

    /// Runs of `cgroup` here.
    pub(crate) fn place(&self, cgroup: &Cgroup) -> Place {
        Place {
            cgroup: cgroup.path().into(),
            client: self.world.client.path(),
            peer: self.world.peer.path(),
        }
    }
}
