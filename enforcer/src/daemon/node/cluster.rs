//! Documents of a cluster, brought into force as they change.

use std::{collections::BTreeMap, time::Instant};

use super::Node;
use crate::{
    daemon::{
        cluster_set::{ClusterDocument, ClusterSet, Settled},
        renewal,
        reporter::Reporter,
        trial::{Trial, Tried},
    },
    events::DaemonEvent,
    policy::{self, Color, PolicyName, crd},
};

impl Node {
    /// Puts what the cluster stores into force, as far as it loads with the policies of this host.
    /// [`ClusterSet::refused`] then says what is not.
    pub fn follow(&mut self, wanted: &[ClusterDocument], reporter: &mut Reporter) {
        let refused = match self.advance_to(wanted, reporter) {
            Ok(refused) => refused,
            Err(why) => {
                // What namespaces say may be more than an image holds. Then it stays as it was, and does
                // not keep out what the cluster says.
                let without = self.cluster.without_news_of_namespaces(wanted);
                let again = (without != wanted).then(|| self.advance_to(&without, reporter));
                let refused = again.and_then(Result::ok).unwrap_or_default();
                let mut all = self.all_that_differ(wanted, &why);
                all.extend(refused);
                all
            }
        };
        let diagnostics: Vec<String> = refused.values().cloned().collect();
        if self.cluster.refuse(refused) {
            reporter.tell(DaemonEvent::PoliciesRejected {
                generation: self.generation,
                diagnostics,
            });
        }
    }

    /// Puts these into force, as far as they load: what does not, and why. Or why nothing has changed.
    fn advance_to(
        &mut self,
        wanted: &[ClusterDocument],
        reporter: &mut Reporter,
    ) -> Result<BTreeMap<String, String>, String> {
        let paths = &self.settings.policies;
        let settled = self
            .cluster
            .settle(wanted, self.revisions.bundle(), |bundle| {
                policy::load_with(paths, bundle)
            });
        let mut settled = settled.map_err(|findings| findings.render(Color::Never))?;
        let refused = std::mem::take(&mut settled.refused);
        self.advance(settled, reporter)
            .map_err(|error| format!("{error:#}"))?;
        Ok(refused)
    }

    fn advance(&mut self, settled: Settled, reporter: &mut Reporter) -> anyhow::Result<()> {
        let Settled {
            documents, loaded, ..
        } = settled;
        let files = |documents: &[ClusterDocument]| -> Vec<_> {
            documents.iter().map(|it| it.file.clone()).collect()
        };
        let same_files = files(&documents) == files(self.cluster.documents());
        if same_files && self.loaded.is_some() && self.last_error.is_none() {
            if documents != self.cluster.documents() {
                self.cluster.write(&documents)?;
                self.cluster.advance(documents);
            }
            return Ok(());
        }
        let begun = Instant::now();
        let prepared = self.prepare(loaded.policies, self.geo()?)?;
        self.cluster.write(&documents)?;
        let assigned = match self.publish(prepared, Some(&mut *reporter)) {
            Ok(assigned) => assigned,
            Err(error) => {
                self.cluster.write(self.cluster.documents())?;
                return Err(error);
            }
        };
        self.cluster.advance(documents);
        self.last_error = None;
        self.place(assigned)?;
        self.apply_time = Some(begun.elapsed());
        self.introduce(reporter.known());
        reporter.tell(self.reloaded());
        Ok(())
    }

    /// Documents that are not in force as they are wanted, all for the same reason.
    fn all_that_differ(&self, wanted: &[ClusterDocument], why: &str) -> BTreeMap<String, String> {
        let in_force = |document: &&ClusterDocument| {
            let mut documents = self.cluster.documents().iter();
            documents.any(|it| it.file == document.file)
        };
        let differing = wanted.iter().filter(|document| !in_force(document));
        differing
            .map(|document| (document.file.path.clone(), why.to_owned()))
            .collect()
    }

    /// What would hold without canaries, to stand beside the image in force.
    ///
    /// # Errors
    /// What the other nodes enforce does not load with the policies of this host.
    pub(in crate::daemon) fn trial(&self) -> anyhow::Result<Trial> {
        let bundle = self.cluster.without_canaries(self.revisions.bundle());
        let plain = policy::load_with(&self.settings.policies, &bundle)?.policies;
        let names: Vec<PolicyName> = plain.iter().map(|policy| policy.name.clone()).collect();
        let named: Vec<&str> = names.iter().map(|name| &*name.0).collect();
        let geo = self.geo()?;
        let image = self.compile(&plain, &geo, &self.classes, renewal::now())?;
        let tried = self.cluster.documents().iter().filter_map(|document| {
            let limit = document.canary.as_ref()?.limit;
            let (_, name) = crd::at_path(&document.file.path)?;
            Some(Tried::new(&document.file.path, name.as_str(), limit))
        });
        let tried = tried.collect();
        Ok(Trial::new(
            self.generation,
            image,
            &self.classes,
            &named,
            tried,
        ))
    }

    /// The documents of the cluster that are in force here.
    #[must_use]
    pub fn cluster(&self) -> &ClusterSet {
        &self.cluster
    }
}
