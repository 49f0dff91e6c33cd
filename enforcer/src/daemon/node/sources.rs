//! Where policies, databases and workloads come from.

use std::path::PathBuf;

use super::Node;
use crate::{
    daemon::settings::Settings,
    geo::GeoSet,
    policy::{self, Bundle, Policy},
};

impl Node {
    /// Directories whose changes matter.
    #[must_use]
    pub fn watched(&self) -> Vec<PathBuf> {
        let roots = if self.scope.roots.is_empty() {
            &["/".to_owned()][..]
        } else {
            &self.scope.roots
        };
        let cgroups = roots.iter().flat_map(|root| self.cgroups.tree(root));
        cgroups.map(|path| self.cgroups.directory(&path)).collect()
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
