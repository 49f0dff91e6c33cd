//! What every part of a bench needs.

use std::{fs, path::PathBuf};

use anyhow::Result;
use enforcer::{
    geo::{Agreement, GeoSet},
    kernel::PinDir,
    policy::Policy,
};
use enforcer_tests::lab::Cgroup;
use tempfile::TempDir;

use crate::{bed::Bed, client::Client, destinations::Networks, own};

/// The world, a client, and a place where nothing is attached.
pub(crate) struct Stage {
    pub(crate) directory: TempDir,
    pub(crate) geo: GeoSet,
    /// See [`own::whole_world`].
    pub(crate) policies: Vec<Policy>,
    pub(crate) client: Client,
    pub(crate) bed: Bed,
    pub(crate) base: Cgroup,
}

impl Stage {
    /// Sets it up.
    ///
    /// # Errors
    /// Without root, or without `ip`.
    pub(crate) fn new() -> Result<Self> {
        sweep()?;
        let directory = tempfile::Builder::new()
            .prefix("enforcer-bench")
            .tempdir()?;
        let geo = GeoSet::open(&[], Agreement::All)?;
        let policies = own::whole_world(&geo)?;
        Ok(Self {
            directory,
            geo,
            policies,
            client: Client::start()?,
            bed: Bed::new()?,
            base: Cgroup::new("base")?,
        })
    }

    /// Files of addresses inside and outside of `networks`.
    ///
    /// # Errors
    /// The disk is full.
    pub(crate) fn addresses(&self, networks: &Networks, name: &str) -> Result<(PathBuf, PathBuf)> {
        let (inside, outside) = self.files(name);
        networks.write_addresses(&inside)?;
        networks.write_outside(&outside)?;
        Ok((inside, outside))
    }

    /// The files that [`addresses`](Self::addresses) writes.
    pub(crate) fn files(&self, name: &str) -> (PathBuf, PathBuf) {
        let file = |name: &str| self.directory.path().join(name);
        (file(name), file(&format!("{name}-outside")))
    }
}

/// Removes the pins of benches that were killed: without a process of theirs nobody else will.
fn sweep() -> Result<()> {
    let instances = PinDir::of_instance("bench");
    let Some(parent) = instances.path().parent().filter(|parent| parent.exists()) else {
        return Ok(());
    };
    for entry in fs::read_dir(parent)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let pid = name
            .strip_prefix("bench-")
            .and_then(|rest| rest.split('-').next());
        if let Some(pid) = pid
            && !PathBuf::from(format!("/proc/{pid}")).exists()
        {
            PinDir::of_instance(&name).remove()?;
        }
    }
    Ok(())
}
