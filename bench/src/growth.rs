//! Does a verdict cost more when there is more to decide?

use anyhow::{Context as _, Result, ensure};
use enforcer::{
    compile::Image,
    policy::{Cidr, Policy},
};
use enforcer_common::abi::Addr;
use enforcer_tests::lab::Cgroup;

use crate::{
    client::Load,
    destinations::Networks,
    own::{self, Own},
    pairs::{self, Comparison, Effort, Subject},
    stage::Stage,
};

/// What to measure.
pub(crate) struct Steps<'a> {
    pub(crate) policies: &'a [usize],
    pub(crate) cidrs: &'a [usize],
    pub(crate) workloads: &'a [usize],
}

/// What was found.
#[derive(Default)]
pub(crate) struct Growth {
    pub(crate) comparisons: Vec<Comparison>,
    /// Images that could not be made, and why.
    pub(crate) skipped: Vec<String>,
}

/// Compares images of more and more policies, and of more and more networks, under the load that
/// looks up most.
///
/// # Errors
/// A run fails.
pub(crate) fn measure(stage: &mut Stage, steps: &Steps<'_>, effort: Effort) -> Result<Growth> {
    let mut growth = Growth::default();
    let by_policies = steps.policies.iter().map(|&count| {
        let policies = many(&stage.policies, count);
        (
            format!("policies: {count}"),
            own::image(&policies, &stage.geo),
        )
    });
    let by_policies = by_policies.collect();
    growth.compare(stage, by_policies, "by policies", effort)?;
    let all = Networks::v4(&stage.geo.databases[0]);
    let by_cidrs = steps.cidrs.iter().map(|&count| {
        let policies = with_cidrs(&stage.policies, &all, count);
        let image = policies.and_then(|policies| own::image(&policies, &stage.geo));
        (format!("CIDRs: {count}"), image)
    });
    let by_cidrs = by_cidrs.collect();
    growth.compare(stage, by_cidrs, "by CIDRs", effort)?;
    growth.by_workloads(stage, steps.workloads, effort)?;
    Ok(growth)
}

impl Growth {
    fn compare(
        &mut self,
        stage: &mut Stage,
        images: Vec<(String, Result<Image>)>,
        by: &str,
        effort: Effort,
    ) -> Result<()> {
        let mut standing = Vec::new();
        for (name, image) in images {
            match image.and_then(|image| Own::new(&format!("growth-{}", standing.len()), &image)) {
                Ok(own) => standing.push((name, own)),
                Err(error) => self.skipped.push(format!("{name}: {error:#}")),
            }
        }
        self.compare_standing(stage, &standing, by, effort)
    }

    /// The world for one workload, beside so many others that are tagged.
    fn by_workloads(&mut self, stage: &mut Stage, counts: &[usize], effort: Effort) -> Result<()> {
        let image = own::image(&stage.policies, &stage.geo)?;
        let mut standing = Vec::new();
        for &count in counts {
            let mut own = Own::new(&format!("workloads-{count}"), &image)?;
            own.tag_others(count - 1)?;
            standing.push((format!("workloads: {count}"), own));
        }
        self.compare_standing(stage, &standing, "by workloads", effort)
    }

    fn compare_standing(
        &mut self,
        stage: &mut Stage,
        standing: &[(String, Own)],
        by: &str,
        effort: Effort,
    ) -> Result<()> {
        let (destinations, _) = stage.files("v4");
        let again = Cgroup::new("again")?;
        let control = ("nothing, in another cgroup (A/A)", &again);
        let standing = standing.iter().map(|(name, own)| (&**name, &own.cgroup));
        let subjects = std::iter::once(control).chain(standing);
        let subjects = subjects.map(|(name, cgroup)| Subject {
            name: name.to_owned(),
            place: stage.bed.place(cgroup),
            destinations: destinations.clone(),
            alternative: false,
        });
        let subjects: Vec<Subject> = subjects.collect();
        let base = stage.bed.place(&stage.base);
        let name = format!("UDP, a new destination each packet, {by}");
        let load = (Load::Scattered, &*name);
        let found = pairs::compare(&mut stage.client, &base, &subjects, load, effort)?;
        stage.client.rest()?;
        self.comparisons.push(found);
        Ok(())
    }
}

/// `count` policies: the given ones, each as often as needed.
fn many(policies: &[Policy], count: usize) -> Vec<Policy> {
    policies.iter().cycle().take(count).cloned().collect()
}

/// The policies, and another one of `count` networks: the first and the third quarter of those of the
/// world, so that each is a range of its own.
fn with_cidrs(policies: &[Policy], all: &Networks, count: usize) -> Result<Vec<Policy>> {
    let mut listed = policies.last().context("no policy")?.clone();
    let peer = listed
        .rules
        .first_mut()
        .and_then(|rule| rule.peers.first_mut());
    let peer = peer.context("no peer")?;
    let quarters = all
        .0
        .iter()
        .flat_map(|&network| [0, 2].map(|number| quarter(network, number)));
    let cidrs: Vec<Cidr> = quarters.flatten().take(count).collect();
    ensure!(cidrs.len() == count, "the world has no {count} networks");
    peer.countries = None;
    peer.cidrs = Some(cidrs);
    Ok(policies.iter().cloned().chain([listed]).collect())
}

/// A quarter of an IPv4 network, counted from 0; `None` of one that is too small.
fn quarter(network: Cidr, number: u32) -> Option<Cidr> {
    let length = network
        .length()
        .checked_add(2)
        .filter(|length| *length <= 32)?;
    let first = network.bounds().0 as u32 + (number << (32 - u32::from(length)));
    Cidr::new(Addr::from_v4(first.to_be_bytes()), length)
}
