//! What the cluster tells of.

use super::Daemon;
use crate::{cluster::Seen, events::DaemonEvent};

/// The API server, in events.
const SOURCE: &str = "the API of the cluster";

impl Daemon {
    /// Brings what is different from `before` into force, and tells of outages.
    pub(super) fn attend_cluster(&mut self, before: &Seen) {
        let Some(source) = &self.cluster else {
            return;
        };
        let seen = source.seen().clone();
        self.tell_outages(before, &seen);
        if seen.has_other_documents(before) {
            self.follow();
        }
        if let Some(pods) = seen.pods.as_ref().filter(|_| before.pods != seen.pods)
            && let Some(extent) = self.node.learn_pods_of_cluster(pods.to_vec())
        {
            self.look(&extent);
        }
    }

    /// Brings the documents of the cluster into force, beside the others as they are now.
    pub(super) fn follow(&mut self) {
        let held = self.node.cluster().documents();
        let wanted = self.cluster.as_ref().and_then(|it| it.documents(held));
        let Some(wanted) = wanted else {
            return;
        };
        self.node.follow(&wanted, &mut self.reporter);
        self.cover_devices();
        self.tell_news();
        if let Some(source) = &self.cluster {
            source.report(self.node.cluster(), self.node.generation());
        }
        self.attend_trial();
    }

    /// Tries what was refused again: what stood in its way may be gone.
    pub(super) fn follow_refused(&mut self) {
        if !self.node.cluster().refused().is_empty() {
            self.follow();
        }
    }

    /// Counts what canaries refuse, and takes those back that refuse too much.
    pub(super) fn attend_trial(&mut self) {
        let trial = self.reporter.trial();
        let over: Vec<(String, String)> = trial
            .iter()
            .flat_map(|trial| trial.over())
            .map(|(tried, why)| (tried.path.clone(), why))
            .collect();
        if let (Some(source), false) = (&mut self.cluster, over.is_empty()) {
            for (path, why) in &over {
                source.take_back(path, why.clone());
            }
            self.reporter.tell(DaemonEvent::PoliciesRejected {
                generation: self.node.generation(),
                diagnostics: over
                    .into_iter()
                    .map(|(path, why)| format!("{path}: {why}"))
                    .collect(),
            });
            *self.reporter.trial() = None;
            self.follow();
            return;
        }
        let stands_beside = trial.as_ref().map(|trial| trial.generation);
        let is_tried = self
            .node
            .cluster()
            .documents()
            .iter()
            .any(|it| it.canary.is_some());
        if !is_tried {
            *trial = None;
        } else if stands_beside != Some(self.node.generation()) {
            match self.node.trial() {
                Ok(fresh) => *trial = Some(fresh.after(trial.take())),
                Err(error) => eprintln!("enforcer: a canary is not counted: {error:#}"),
            }
        }
    }

    fn tell_outages(&mut self, before: &Seen, now: &Seen) {
        let recovered = || DaemonEvent::SourceRecovered {
            source: SOURCE.to_owned(),
        };
        let is_new = now.outages > before.outages;
        if before.is_down && (!now.is_down || is_new) {
            self.reporter.tell(recovered());
        }
        // One that is over already is told of all the same; of several, the last one.
        if let (Some(outage), true) = (&now.outage, is_new) {
            self.reporter.tell(DaemonEvent::SourceFailing {
                source: SOURCE.to_owned(),
                error: outage.error.clone(),
            });
            if !now.is_down {
                self.reporter.tell(recovered());
            }
        }
    }
}
