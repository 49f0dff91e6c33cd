//! Where policies, databases and workloads come from.

use std::{collections::BTreeSet, io, path::PathBuf};

use super::Node;
use crate::{
    daemon::settings::Settings,
    geo::GeoSet,
    policy::{self, Bundle, Policy},
    workloads::{CgroupPath, Changes, Extent, Watch},
};

impl Node {
    /// Watches the cgroups of an extent, with all below them.
    ///
    /// # Errors
    /// No more watches are permitted.
    pub fn watch(&self, watch: &mut Watch, extent: &Extent) -> io::Result<()> {
        let mut found: Vec<CgroupPath> = match extent {
            Extent::All if self.scope.roots.is_empty() => vec!["/".to_owned()],
            Extent::All => self.scope.roots.clone(),
            Extent::Part { trees, .. } => trees.iter().cloned().collect(),
        };
        // Watched first and listed then: what is made in between is found either way.
        while let Some(path) = found.pop() {
            watch.add(&self.cgroups.directory(&path))?;
            found.extend(self.cgroups.children(&path));
        }
        Ok(())
    }

    /// Where something changed, as far as it has to do with cgroups.
    #[must_use]
    pub fn extent_of(&self, changes: &Changes) -> Extent {
        let paths = |directories: &BTreeSet<PathBuf>| {
            let below = directories.iter().map(|it| self.cgroups.path_below(it));
            below.flatten().collect()
        };
        if changes.lost {
            return Extent::All;
        }
        Extent::Part {
            trees: paths(&changes.entries),
            alone: paths(&changes.within),
        }
    }

    /// Directories of policies and databases.
    #[must_use]
    pub fn sources(&self) -> Vec<PathBuf> {
        let files = self.settings.policies.iter().chain(&self.settings.geo);
        let directory = |path: &PathBuf| {
            if path.is_dir() {
                path.clone()
            } else {
                path.parent().map(PathBuf::from).unwrap_or_default()
            }
        };
        files.map(directory).collect()
    }
}

/// Policies and databases, read anew.
pub(super) fn load(settings: &Settings, pushed: &Bundle) -> anyhow::Result<(Vec<Policy>, GeoSet)> {
    let loaded = policy::load_with(&settings.policies, pushed)?;
    Ok((loaded.policies, open_geo(settings)?))
}

/// The databases of the settings.
pub(super) fn open_geo(settings: &Settings) -> anyhow::Result<GeoSet> {
    let agreement = settings.agreement.unwrap_or_default();
    Ok(GeoSet::open(&settings.geo, agreement.into())?)
}
