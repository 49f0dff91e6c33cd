//! What changes from one image to the next, exactly: every address, protocol and port.
//!
//! Both images are constant between the bounds of databases, special-purpose ranges and networks, so
//! one address stands for each piece between two bounds; and between the bounds of ports, so one port
//! stands for each run. The verdicts are those of the decision itself.
//!
//! Names of hosts are left aside: a rule that asks for one is taken as not met.

mod pieces;
mod services;

use std::collections::HashMap;

use enforcer_common::{
    abi::{Addr, CgroupId, Hook, Stance, Tag},
    verdict::{Decision, Flow},
};

pub use pieces::Extent;

use self::{
    pieces::Pieces,
    services::{Run, runs},
};
use super::{Atlas, Image};
use crate::{geo::GeoSet, policy::Policy};

/// An image and the policies it was made from.
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
    /// The addresses.
    pub extent: Extent,
}

/// Two images with all that can tell flows apart in either.
pub struct Comparison<'a> {
    before: Version<'a>,
    after: Version<'a>,
    geo: &'a GeoSet,
    pieces: Pieces,
    runs: Vec<Run>,
}

/// What happens to some protocols and ports.
type Change = (Vec<String>, Decision, Decision);

impl<'a> Comparison<'a> {
    /// Lays two images over each other. Both were made with `geo`.
    #[must_use]
    pub fn of(before: Version<'a>, after: Version<'a>, geo: &'a GeoSet) -> Self {
        let policies = || before.policies.iter().chain(after.policies);
        Self {
            pieces: Pieces::of(before, after, geo),
            runs: runs(policies()),
            before,
            after,
            geo,
        }
    }

    /// What changes for a workload with the first tag under the first image and the second tag under
    /// the second one. `None` is a cgroup that is none of our business.
    #[must_use]
    pub fn differences(&self, before: Option<Tag>, after: Option<Tag>) -> Vec<Difference> {
        let mut known: HashMap<(Option<u32>, Option<u32>), Vec<usize>> = HashMap::new();
        let mut changes: Vec<Change> = Vec::new();
        let mut of_pieces: Vec<Vec<usize>> = Vec::new();
        for (atoms, example) in self.pieces.kinds() {
            let cells = (
                cell(self.before.image, before, atoms.0),
                cell(self.after.image, after, atoms.1),
            );
            let found = known.entry(cells).or_insert_with(|| {
                let first = changes.len();
                changes.extend(self.changes(before, after, *example));
                (first..changes.len()).collect()
            });
            of_pieces.push(found.clone());
        }
        let extents = self.pieces.extents(self.geo, &of_pieces, changes.len());
        let differences = changes.into_iter().zip(extents);
        let mut differences: Vec<Difference> = differences
            .map(|((services, before, after), extent)| Difference {
                services,
                before,
                after,
                extent,
            })
            .collect();
        differences.sort_by_key(|it| std::cmp::Reverse((it.extent.addresses, it.extent.networks)));
        differences
    }

    /// Runs of protocols and ports whose verdict changes, those that change alike together.
    fn changes(&self, before: Option<Tag>, after: Option<Tag>, dst: Addr) -> Vec<Change> {
        let mut changes: Vec<(Vec<Run>, Decision, Decision)> = Vec::new();
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
            let alike = |change: &&mut (Vec<Run>, Decision, Decision)| {
                (change.1.rule, change.2.rule) == (was.rule, is.rule)
                    && (change.1.pack(), change.2.pack()) == (was.pack(), is.pack())
            };
            match changes.iter_mut().find(alike) {
                Some((runs, _, _)) => Run::add(runs, *run),
                None => changes.push((vec![*run], was, is)),
            }
        }
        let told = changes.into_iter().map(|(runs, was, is)| {
            let services = if runs == [Run::ALL] {
                vec!["any".to_owned()]
            } else {
                runs.iter().map(ToString::to_string).collect()
            };
            (services, was, is)
        });
        told.collect()
    }
}

/// What an image holds for a tag and an atom: equal words, equal verdicts for every port. `None`
/// where the tag alone decides.
fn cell(image: &Image, tag: Option<Tag>, atom: u16) -> Option<u32> {
    let tag = tag?;
    match tag.stance() {
        Some(Stance::Judge) => image.cell(tag.class, atom),
        Some(
            Stance::Release | Stance::UnknownHold | Stance::UnknownDeny | Stance::UnknownAllow,
        )
        | None => None,
    }
}

#[cfg(test)]
mod tests;
