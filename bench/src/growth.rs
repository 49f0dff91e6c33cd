//! Does a verdict cost more when there is more to decide?

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use enforcer::{
    geo::GeoSet,
    policy::{Cidr, Policy},
};
use enforcer_common::abi::Addr;
use enforcer_tests::lab::Cgroup;

use crate::{
    bed::Bed,
    client::{Client, Load},
    destinations::Networks,
    own::{self, Own},
    pairs::{self, Comparison, Effort, Subject},
};

/// What to measure.
pub(crate) struct Steps<'a> {
    pub(crate) policies: &'a [usize],
    pub(crate) cidrs: &'a [usize],
}

/// Compares images of more and more policies, and of more and more networks, under the load that
/// looks up most.
///
/// # Errors
/// An image does not compile, or a run fails.
pub(crate) fn measure(
    client: &mut Client,
    (bed, base): (&Bed, &Cgroup),
    (policies, geo): (&[Policy], &GeoSet),
    destinations: &Path,
    (steps, effort): (&Steps<'_>, Effort),
) -> Result<Vec<Comparison>> {
    let mut compare = |images: Vec<(String, Own)>, what: &str| {
        let subjects: Vec<Subject> = images
            .iter()
            .map(|(name, own)| Subject {
                name: name.clone(),
                place: bed.place(&own.cgroup),
                destinations: destinations.into(),
            })
            .collect();
        let load = (Load::Scattered, what);
        let found = pairs::compare(client, &bed.place(base), &subjects, load, effort)?;
        client.rest()?;
        Ok::<_, anyhow::Error>(found)
    };
    let by_policies = steps.policies.iter().map(|&count| {
        let name = format!("{count} policies");
        let image = own::image(&many(policies, count), geo)?;
        Ok((name, Own::new(&format!("policies-{count}"), &image)?))
    });
    let by_policies = by_policies.collect::<Result<_>>()?;
    let by_policies = compare(
        by_policies,
        "UDP, a new destination each packet, by policies",
    )?;
    let all = Networks::v4(&geo.databases[0]);
    let by_cidrs = steps.cidrs.iter().map(|&count| {
        let name = format!("{count} CIDRs");
        let image = own::image(&with_cidrs(policies, &all, count)?, geo)?;
        Ok((name, Own::new(&format!("cidrs-{count}"), &image)?))
    });
    let by_cidrs = by_cidrs.collect::<Result<_>>()?;
    let by_cidrs = compare(by_cidrs, "UDP, a new destination each packet, by CIDRs")?;
    Ok(vec![by_policies, by_cidrs])
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
