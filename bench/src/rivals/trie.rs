//! The design of systemd's `IPAddressAllow=`: a trie, asked for each packet in and out.

use anyhow::{Context as _, Result};
use aya::{
    Ebpf,
    maps::lpm_trie::{Key, LpmTrie},
};
use enforcer_tests::lab::Cgroup;

use super::{Loading, loading};
use crate::{destinations::Networks, floor};

/// A cgroup with the two programs.
pub(crate) struct Trie {
    pub(crate) cgroup: Cgroup,
    pub(crate) loading: Loading,
    _programs: Ebpf,
}

impl Trie {
    /// Loads `networks`, all of one family.
    ///
    /// # Errors
    /// Without root.
    pub(crate) fn new(name: &str, networks: &Networks) -> Result<Self> {
        let cgroup = Cgroup::new("trie")?;
        let mut programs = floor::object()?;
        let loading = loading(name, networks.0.len(), || {
            fill(&mut programs, networks)?;
            floor::attach(&mut programs, &["list_ingress", "list_egress"], &cgroup)
        })?;
        Ok(Self {
            cgroup,
            loading,
            _programs: programs,
        })
    }
}

fn fill(programs: &mut Ebpf, networks: &Networks) -> Result<()> {
    let (mut v4, mut v6) = (vec![], vec![]);
    for network in &networks.0 {
        let octets = network.network().octets();
        let length = network.length().into();
        if network.is_v4() {
            let [.., a, b, c, d] = octets;
            v4.push(Key::new(length, [a, b, c, d]));
        } else {
            v6.push(Key::new(length, octets));
        }
    }
    insert(programs, "ALLOW4", &v4)?;
    insert(programs, "ALLOW6", &v6)
}

fn insert<K: aya::Pod>(programs: &mut Ebpf, map: &str, keys: &[Key<K>]) -> Result<()> {
    let map = programs
        .map_mut(map)
        .with_context(|| format!("no map {map}"))?;
    let mut trie: LpmTrie<_, K, u32> = map.try_into()?;
    for key in keys {
        trie.insert(key, 1, 0).context("the trie is full")?;
    }
    Ok(())
}
