use std::sync::Arc;

use anyhow::{Context as _, bail};
use enforcer_common::{abi::Addr, names::Seed};

use crate::{
    compile::{CompileError, Image, Input, compile},
    daemon::{node_resolvers, renewal, seed},
    events::DaemonEvent,
    geo::GeoSet,
    policy::{Minute, Policy, Selector},
};

/// What the images of one `exec` are made from.
pub(super) struct Recipe {
    policies: Vec<Policy>,
    pub(super) geo: Arc<GeoSet>,
    seed: Seed,
    cluster_dns: Vec<Addr>,
    made_at: Minute,
}

impl Recipe {
    /// Of the policies that select `exec`.
    ///
    /// # Errors
    /// None does.
    pub(super) fn new(policies: Vec<Policy>, geo: GeoSet) -> anyhow::Result<Self> {
        let selects = |policy: &Policy| policy.selectors.contains(&Selector::Exec);
        let policies: Vec<Policy> = policies.into_iter().filter(selects).collect();
        if policies.is_empty() {
            bail!("none of the policies selects exec: add `- exec: true` to `spec.selector`");
        }
        Ok(Self {
            policies,
            geo: Arc::new(geo),
            seed: seed::draw().context("draw a seed for names")?,
            cluster_dns: node_resolvers(),
            made_at: renewal::now(),
        })
    }

    /// The image as of now, and what to tell of agreements that ended since the last one.
    ///
    /// # Errors
    /// The policies are more than an image can hold.
    pub(super) fn make(
        &mut self,
        generation: u64,
    ) -> Result<(Image, Vec<DaemonEvent>), CompileError> {
        let now = renewal::now();
        let image = compile(&Input {
            policies: &self.policies,
            classes: &[(0..self.policies.len()).collect()],
            geo: &self.geo,
            nat64: &[],
            generation,
            now,
            seed: self.seed,
            cluster_dns: &self.cluster_dns,
        })?;
        let ended = renewal::ended(&self.policies, self.made_at, now, generation);
        self.made_at = now;
        Ok((image, ended))
    }
}
