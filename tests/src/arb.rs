//! Strategies: worlds that are small and nasty.
//!
//! Addresses come from a few neighbourhoods, so that databases, CIDRs and flows collide: nested,
//! adjacent and equal ranges are the rule. Flows sit on the bounds of what the case names, one
//! before, one after.

mod address;
mod flow;
mod geo;
mod names;
mod policy;

use enforcer::{
    compile::Input,
    geo::GeoSet,
    policy::{Minute, Policy},
};
use enforcer_common::{
    abi::{Addr, Nat64Prefix},
    verdict::Flow,
};
use proptest::{collection::vec, prelude::*};

use crate::model::World;

pub use address::cidr;
pub use flow::{FlowSeed, Form};
pub use geo::{agreement, database, geo_set};
pub use policy::{peer, policies, policy};

/// Policies, databases, and flows that look for the seams between them.
#[derive(Clone, Debug)]
pub struct Case {
    /// All policies, with distinct names.
    pub policies: Vec<Policy>,
    /// Classes, as indices into `policies`; none is empty.
    pub classes: Vec<Vec<usize>>,
    /// One or two databases.
    pub geo: GeoSet,
    /// NAT64 prefixes of the operator's own.
    pub nat64: Vec<Nat64Prefix>,
    /// Flows to judge for every class.
    pub flows: Vec<Flow>,
    /// For each flow: the names of its destination.
    pub names: Vec<Vec<&'static str>>,
    /// Resolvers of the node.
    pub cluster_dns: Vec<Addr>,
}

impl Case {
    /// The minute at which cases are judged: agreements end before, now and after.
    pub const NOW: Minute = Minute(2);

    /// What surrounds policies and flows, for the model.
    #[must_use]
    pub fn world(&self) -> World<'_> {
        World {
            geo: &self.geo,
            nat64: &self.nat64,
            now: Self::NOW,
            cluster_dns: &self.cluster_dns,
        }
    }

    /// The same, for the compiler.
    #[must_use]
    pub fn input(&self) -> Input<'_> {
        Input {
            nat64: &self.nat64,
            now: Self::NOW,
            cluster_dns: &self.cluster_dns,
            ..Input::of(&self.policies, &self.classes, &self.geo)
        }
    }

    /// Flows with the names of their destinations.
    pub fn asked(&self) -> impl Iterator<Item = (&Flow, &[&'static str])> {
        self.flows.iter().zip(self.names.iter().map(Vec::as_slice))
    }

    /// The policies of one class, in its order.
    #[must_use]
    pub fn policies_of(&self, class: &[usize]) -> Vec<&Policy> {
        class.iter().map(|&index| &self.policies[index]).collect()
    }
}

/// A whole case. Compiling an image costs far more than a decision, so one case asks many flows.
pub fn case() -> impl Strategy<Value = Case> {
    let classes = vec(vec(any::<prop::sample::Index>(), 1..4), 1..4);
    let seeds = vec((flow::seed(), names::of_address()), 64);
    let cluster_dns = vec(names::address(), 0..2);
    (
        policies(),
        classes,
        geo_set(),
        address::nat64(),
        seeds,
        cluster_dns,
    )
        .prop_map(|(policies, classes, geo, nat64, seeds, cluster_dns)| {
            let classes = classes
                .iter()
                .map(|members| distinct(members, policies.len()))
                .collect();
            let places = flow::Places::of(&policies, &geo);
            let flows = seeds
                .iter()
                .map(|(seed, _)| seed.resolve(&places, &nat64))
                .collect();
            let names = seeds.into_iter().map(|(_, names)| names).collect();
            Case {
                policies,
                classes,
                geo,
                nat64,
                flows,
                names,
                cluster_dns,
            }
        })
}

/// A class is a set, and its order is that of the policies.
fn distinct(members: &[prop::sample::Index], policies: usize) -> Vec<usize> {
    let set: std::collections::BTreeSet<usize> = members
        .iter()
        .map(|member| member.index(policies))
        .collect();
    set.into_iter().collect()
}
