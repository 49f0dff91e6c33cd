//! Images of a node, and what makes the same policies mean something else.

use std::sync::Arc;

use super::{Loaded, Node};
use crate::{
    compile::{Input, compile},
    daemon::{node_resolvers, renewal, reporter::Reporter},
    events::DaemonEvent,
    geo::GeoSet,
    policy::{Minute, Policy},
    workloads::Classes,
};

impl Node {
    /// The image of these policies and of the exceptions of isolations, as of now, under the next
    /// number.
    pub(super) fn compile(
        &self,
        policies: Vec<Policy>,
        geo: Arc<GeoSet>,
        classes: &Classes,
    ) -> anyhow::Result<Loaded> {
        let made_at = renewal::now();
        let exceptions = self.isolations.policies();
        let all: Vec<Policy> = policies.iter().cloned().chain(exceptions).collect();
        let input = Input {
            policies: &all,
            classes: &classes.members(&all),
            geo: &geo,
            nat64: &[],
            generation: self.generation + 1,
            now: made_at,
            seed: self.seed,
            cluster_dns: &node_resolvers(),
        };
        let image = compile(&input)?;
        Ok(Loaded {
            policies,
            geo,
            image,
            made_at,
        })
    }

    /// Takes what was published for what is in force.
    pub(super) fn replace(&mut self, loaded: Loaded) {
        self.generation = loaded.image.generation();
        if let Some(old) = &self.loaded {
            let (before, now) = (old.made_at, loaded.made_at);
            let ended = renewal::ended(&loaded.policies, before, now, self.generation);
            self.news.extend(ended);
        }
        self.loaded = Some(loaded);
    }

    /// When an agreement ends, so that [`renew`](Self::renew) is due.
    #[must_use]
    pub fn until(&self) -> Option<Minute> {
        self.loaded.as_ref()?.image.until()
    }

    /// Compiles the loaded policies as of now. No file is read: an agreement that ended has ended,
    /// whatever has become of the files.
    ///
    /// # Errors
    /// The kernel refuses the image.
    pub fn renew(&mut self, reporter: &mut Reporter) -> anyhow::Result<()> {
        let Some(loaded) = &self.loaded else {
            return Ok(());
        };
        let (policies, geo) = (loaded.policies.clone(), Arc::clone(&loaded.geo));
        let loaded = self.compile(policies, geo, &self.classes)?;
        reporter.known().learn_image(&loaded.image);
        self.enforcement.publish(&loaded.image)?;
        self.replace(loaded);
        Ok(())
    }

    /// What there is to tell since this was last asked.
    pub fn take_news(&mut self) -> Vec<DaemonEvent> {
        std::mem::take(&mut self.news)
    }
}
