//! ipset with iptables: a hash of networks, asked by what a cgroup sends.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::Result;
use enforcer_tests::lab::Cgroup;

use super::{Loading, loading, run};
use crate::{bed::Bed, client::Place, destinations::Networks};

/// A cgroup, and a set and a rule for it in a namespace of its own.
pub(crate) struct Ipset {
    bed: Bed,
    cgroup: Cgroup,
    pub(crate) loading: Loading,
}

impl Ipset {
    /// Loads `networks`.
    ///
    /// # Errors
    /// The kernel has no ipset, or refuses the rule.
    pub(crate) fn new(name: &str, networks: &Networks, directory: &Path) -> Result<Self> {
        let (bed, cgroup) = (Bed::new()?, Cgroup::new("ipset")?);
        let set = directory.join("set.ipset");
        fs::write(&set, text(networks)?)?;
        let path = cgroup.below_mount();
        let path = path.trim_start_matches('/');
        let rule = "-w -A OUTPUT -m cgroup --path PATH -m set ! --match-set permitted dst -j DROP";
        let rule = rule.split(' ').map(|word| match word {
            "PATH" => path,
            word => word,
        });
        let rule: Vec<&str> = std::iter::once("iptables").chain(rule).collect();
        let loading = loading(name, networks.0.len(), || {
            run(&bed.world.client, &["ipset", "restore"], Some(&set))?;
            run(&bed.world.client, &rule, None)
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

fn text(networks: &Networks) -> Result<String> {
    let mut text =
        "create permitted hash:net family inet hashsize 65536 maxelem 4194304\n".to_owned();
    for network in &networks.0 {
        writeln!(text, "add permitted {network}")?;
    }
    Ok(text)
}
