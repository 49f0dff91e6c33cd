//! Images of a node, and what makes the same policies mean something else.

use std::sync::Arc;

use super::{Loaded, Node};
use crate::{
    compile::{CompileError, Image, Input, compile},
    daemon::{node_resolvers, renewal, reporter::Reporter},
    events::DaemonEvent,
    geo::GeoSet,
    policy::{Minute, Policy},
    workloads::Classes,
};

impl Node {
    /// The image of these policies and of the exceptions of isolations, as of a minute, under the next
    /// number.
    pub(super) fn compile(
        &self,
        policies: &[Policy],
        geo: &GeoSet,
        classes: &Classes,
        now: Minute,
    ) -> Result<Image, CompileError> {
        let exceptions = self.isolations.policies();
        let all: Vec<Policy> = policies.iter().cloned().chain(exceptions).collect();
        let input = Input {
            policies: &all,
            classes: &classes.members(&all),
            geo,
            nat64: &[],
            generation: self.generation + 1,
            now,
            seed: self.seed,
            cluster_dns: &node_resolvers(),
        };
        compile(&input)
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
        let made_at = renewal::now();
        let loaded = Loaded {
            image: self.compile(&loaded.policies, &loaded.geo, &self.classes, made_at)?,
            policies: loaded.policies.clone(),
            geo: Arc::clone(&loaded.geo),
            made_at,
        };
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
