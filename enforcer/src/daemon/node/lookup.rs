//! What holds for a cgroup now.

use std::path::Path;

use enforcer_common::{
    abi::{Addr, Holder, Tag},
    names::NameKey,
};

use super::Node;
use crate::workloads::{CgroupPath, cgroup2};

impl Node {
    /// The tag that holds for a cgroup, and the cgroup that has it: this one, or the nearest above.
    ///
    /// # Errors
    /// There is no such cgroup, or the tags cannot be read.
    pub fn nearest_tag(&self, cgroup: &Path) -> anyhow::Result<Option<(CgroupPath, Tag)>> {
        let path = self.cgroups.path_of(cgroup)?;
        // As the kernel programs look for it: the root holds for nobody but itself.
        for path in cgroup2::upwards(&path) {
            let id = self.cgroups.id(path)?;
            if let Some(tag) = self.enforcement.tag_of(id)? {
                return Ok(Some((path.to_owned(), tag)));
            }
        }
        Ok(None)
    }

    /// Names that a workload knows of an address now.
    ///
    /// # Errors
    /// There is no such cgroup, or the names cannot be read.
    pub fn names_of(
        &self,
        workload: &str,
        addr: Addr,
        now_ns: u64,
    ) -> anyhow::Result<Vec<NameKey>> {
        let workload = self.cgroups.id(workload)?;
        Ok(self
            .enforcement
            .names_of(&Holder { workload, addr }, now_ns)?)
    }
}
