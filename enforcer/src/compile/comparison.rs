//! What changes from one image to the next, exactly: every address, protocol and port. Policies may
//! differ, or databases, or both.
//!
//! Both images are constant between the bounds of their atoms, so one address stands for each piece
//! between two bounds; and between the bounds of ports, so one port stands for each run. The verdicts
//! are those of the decision itself.
//!
//! Names of hosts are left aside: a rule that asks for one is taken as not met.

mod pieces;
mod services;

use std::collections::HashMap;

use enforcer_common::{
    abi::{Addr, CgroupId, Hook, Stance, Tag},
    verdict::{Decision, Flow},
};

use self::{
    pieces::Pieces,
    services::{Run, runs},
};
use super::{Atlas, Image};
use crate::{
    geo::diff::{AddressRange, Extent},
    policy::Policy,
};

/// An image and what it was made from.
#[derive(Clone, Copy)]
pub struct Version<'a> {
    /// The image.
    pub image: &'a Image,
    /// Its addresses.
    pub atlas: &'a Atlas,
    /// Its policies.
    pub policies: &'a [Policy],
}

/// Flows that get another verdict.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Protocols and ports, as people write them; `any` for all of them.
    pub services: Vec<String>,
    /// The decision of the first image.
    pub before: Decision,
    /// The decision of the second one.
    pub after: Decision,
    /// The addresses, ascending, IPv4 first.
    pub ranges: Vec<AddressRange>,
    /// What they add up to.
    pub extent: Extent,
}

/// Two images with all that can tell flows apart in either.
pub struct Comparison<'a> {
    before: Version<'a>,
    after: Version<'a>,
    pieces: Pieces,
    runs: Vec<Run>,
}

/// What happens to some protocols and ports.
struct Change {
    runs: Vec<Run>,
    before: Decision,
    after: Decision,
}

impl<'a> Comparison<'a> {
    /// Lays two images over each other.
    #[must_use]
    pub fn of(before: Version<'a>, after: Version<'a>) -> Self {
        Self {
            pieces: Pieces::of(before, after),
            runs: runs(before.policies.iter().chain(after.policies)),
            before,
            after,
        }
    }

    /// What changes for a workload with the first tag under the first image and the second tag under
    /// the second one, the most addresses first. `None` is a cgroup that is none of our business.
    #[must_use]
    pub fn differences(&self, before: Option<Tag>, after: Option<Tag>) -> Vec<Difference> {
        let mut changes: Vec<Change> = Vec::new();
        let mut of_cells: HashMap<[Option<u32>; 2], Vec<usize>> = HashMap::new();
        let of_kinds: Vec<Vec<usize>> = self
            .pieces
            .kinds()
            .map(|kind| {
                let cells = [
                    cell(self.before.image, before, kind.atoms[0]),
                    cell(self.after.image, after, kind.atoms[1]),
                ];
                let found = of_cells.entry(cells).or_insert_with(|| {
                    let found = self.changes(before, after, kind.example).into_iter();
                    found.map(|change| place(&mut changes, change)).collect()
                });
                found.clone()
            })
            .collect();
        let mut differences: Vec<Difference> = changes.iter().map(Difference::of).collect();
        for (range, kind) in self.pieces.ranges() {
            for &change in &of_kinds[kind] {
                differences[change].ranges.push(range);
                differences[change].extent.add(range);
            }
        }
        differences
            .sort_by_key(|it| std::cmp::Reverse((it.extent.addresses(), it.extent.networks())));
        differences
    }

    /// Runs of protocols and ports whose verdict changes, those that change alike together.
    fn changes(&self, before: Option<Tag>, after: Option<Tag>, dst: Addr) -> Vec<Change> {
        let mut changes: Vec<Change> = Vec::new();
        for run in &self.runs {
            let flow = Flow {
                subject: CgroupId(0),
                dst,
                proto: run.proto(),
                ports: run.ports(),
                hook: Hook::Egress,
            };
            let was = self.before.image.decide_tagged(before, 0, &flow, &[]);
            let is = self.after.image.decide_tagged(after, 0, &flow, &[]);
            if (was.verdict, was.would_deny) == (is.verdict, is.would_deny) {
                continue;
            }
            let alike = |change: &&mut Change| change.decides(&was, &is);
            match changes.iter_mut().find(alike) {
                Some(change) => Run::add(&mut change.runs, *run),
                None => changes.push(Change {
                    runs: vec![*run],
                    before: was,
                    after: is,
                }),
            }
        }
        changes
    }
}

impl Change {
    fn decides(&self, before: &Decision, after: &Decision) -> bool {
        (self.before.pack(), self.after.pack()) == (before.pack(), after.pack())
    }
}

impl Difference {
    /// Without addresses.
    fn of(change: &Change) -> Self {
        let services = match &change.runs[..] {
            [Run::ALL] => vec!["any".to_owned()],
            runs => runs.iter().map(ToString::to_string).collect(),
        };
        Self {
            services,
            before: change.before,
            after: change.after,
            ranges: Vec::new(),
            extent: Extent::default(),
        }
    }
}

/// Where a change is, or now is, among `changes`.
fn place(changes: &mut Vec<Change>, change: Change) -> usize {
    let same =
        |known: &Change| known.runs == change.runs && known.decides(&change.before, &change.after);
    changes.iter().position(same).unwrap_or_else(|| {
        changes.push(change);
        changes.len() - 1
    })
}

/// What an image holds for a tag and an atom: equal words, equal verdicts for every port. `None`
/// where the tag alone decides.
fn cell(image: &Image, tag: Option<Tag>, atom: Option<u16>) -> Option<u32> {
    let tag = tag?;
    match tag.stance() {
        Some(Stance::Judge) => image.cell(tag.class, atom?),
        Some(
            Stance::Release | Stance::UnknownHold | Stance::UnknownDeny | Stance::UnknownAllow,
        )
        | None => None,
    }
}

#[cfg(test)]
mod tests;
