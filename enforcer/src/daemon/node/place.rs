//! Tags and hooks brought to the cgroups.

use std::collections::{HashMap, HashSet};

use enforcer_common::abi::{CgroupId, Tag};

use super::Node;
use crate::workloads::{Assignment, Extent, cgroup2};

/// Deepest level at which the kernel programs find a tag.
const DEEPEST: usize = 16;

impl Node {
    /// Writes the tags that changed, removes those of cgroups that are gone, attaches.
    pub(super) fn place(&mut self, assigned: Vec<Assignment>) -> anyhow::Result<()> {
        self.place_in(assigned, &Extent::All)
    }

    /// The same for a part of the cgroups.
    pub(super) fn place_in(
        &mut self,
        assigned: Vec<Assignment>,
        extent: &Extent,
    ) -> anyhow::Result<()> {
        self.pods.see(&assigned, extent);
        let mut placed = HashSet::new();
        for assignment in assigned {
            // A cgroup may go at any time; then there is nothing to place.
            let Ok(cgroup) = self.cgroups.id(&assignment.path) else {
                continue;
            };
            let tag = if assignment.awaited {
                self.tags.get(&cgroup).map(|(tag, _)| *tag)
            } else {
                self.tag_of(&assignment)
            };
            if let Some(tag) = tag {
                let before = self.tags.get(&cgroup).map(|(tag, _)| *tag);
                if before != Some(tag) {
                    self.check_depth(&assignment)?;
                    self.enforcement.tag(cgroup, tag)?;
                }
                placed.insert(cgroup);
            }
            if assignment.attach {
                self.enforcement
                    .attach(&self.cgroups.directory(&assignment.path))?;
            }
            if let Some(tag) = tag {
                self.tags.insert(cgroup, (tag, assignment));
            }
        }
        let of_extent = |(_, assignment): &(Tag, Assignment)| extent.has(&assignment.path);
        let gone = self.tags.iter().filter(|(_, tag)| of_extent(tag));
        let gone: Vec<CgroupId> = gone
            .map(|(cgroup, _)| *cgroup)
            .filter(|cgroup| !placed.contains(cgroup))
            .collect();
        for gone in gone {
            self.enforcement.untag(gone)?;
            self.enforcement.forget_links(gone)?;
            self.tags.remove(&gone);
        }
        Ok(())
    }

    fn tag_of(&mut self, assignment: &Assignment) -> Option<Tag> {
        let tag = if assignment.policies.is_empty() {
            assignment.otherwise.map(Tag::standing)
        } else {
            Some(Tag::judged(self.classes.of(assignment.policies.clone())))
        };
        self.isolated(tag?, assignment).into()
    }

    fn check_depth(&self, assignment: &Assignment) -> anyhow::Result<()> {
        let depth = cgroup2::depth(&assignment.path);
        anyhow::ensure!(
            depth <= DEEPEST,
            "cgroup {} is {depth} levels deep, and tags are found down to level {DEEPEST}",
            assignment.path
        );
        Ok(())
    }

    /// Tags that an earlier daemon wrote, with what their cgroups are called now.
    pub(super) fn adopted_tags(&self) -> anyhow::Result<HashMap<CgroupId, (Tag, Assignment)>> {
        let tags = self.enforcement.tags()?.into_iter().map(|(cgroup, tag)| {
            let nameless = Assignment {
                path: String::new(),
                policies: Vec::new(),
                otherwise: None,
                attach: false,
                pod: None,
                awaited: false,
            };
            (cgroup, (tag, nameless))
        });
        Ok(tags.collect())
    }
}
