//! nftables: an interval set, asked by what a cgroup sends.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::{Context as _, Result};
use enforcer_tests::lab::Cgroup;

use super::{Loading, loading, run};
use crate::{bed::Bed, client::Place, destinations::Networks};

/// A cgroup, and a ruleset for it in a namespace of its own.
pub(crate) struct Nft {
    bed: Bed,
    cgroup: Cgroup,
    pub(crate) loading: Loading,
}

impl Nft {
    /// Loads `networks`.
    ///
    /// # Errors
    /// The kernel has no nftables, or refuses the ruleset.
    pub(crate) fn new(name: &str, networks: &Networks, directory: &Path) -> Result<Self> {
        let (bed, cgroup) = (Bed::new()?, Cgroup::new("nft")?);
        let ruleset = directory.join("ruleset.nft");
        fs::write(&ruleset, text(networks, &cgroup)?)?;
        let loading = loading(name, networks.0.len(), || {
            run(&bed.world.client, &["nft", "-f", "-"], Some(&ruleset))
        })?;
        Ok(Self {
            bed,
            cgroup,
            loading,
        })
    }

    pub(crate) fn place(&self) -> Place {
        self.bed.place(&self.cgroup)
    }
}

fn text(networks: &Networks, cgroup: &Cgroup) -> Result<String> {
    // nft resolves the path below /sys/fs/cgroup, wherever below it cgroup2 is mounted.
    let path = cgroup.path().strip_prefix("/sys/fs/cgroup");
    let path = path.context("cgroup2 is not mounted below /sys/fs/cgroup")?;
    let mut text = String::from(
        "table inet bench {\n\
         set permitted { type ipv4_addr; flags interval; elements = {\n",
    );
    for network in &networks.0 {
        writeln!(text, "{network},")?;
    }
    write!(
        text,
        "}} }}\n\
         chain judge {{ ip daddr @permitted accept; drop; }}\n\
         chain output {{ type filter hook output priority 0; policy accept;\n\
         socket cgroupv2 level 1 \"{}\" jump judge; }}\n\
         }}\n",
        path.display()
    )?;
    Ok(text)
}
