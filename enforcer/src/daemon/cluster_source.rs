//! A cluster as a source of policies and pods, and a place to tell what became of them.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::timeout;

use super::cluster_set::{CanaryDocument, ClusterDocument, ClusterSet};
use crate::{
    cluster::{Follower, NodeState, Report, Seen, Stored},
    control::ClusterStatus,
    policy::crd::{self, Object},
};

/// How long the start waits for a server that neither answers nor refuses.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many refusals a canary may make unless it says so.
const LIMIT: u64 = 10;

/// The client, and what it told of last.
pub(super) struct ClusterSource {
    follower: Follower,
    told: Seen,
    /// Canaries that this node has taken back, by path: their generation, and why.
    taken_back: BTreeMap<String, (i64, String)>,
}

impl ClusterSource {
    /// Waits until the client has looked, for a while.
    pub(super) async fn new(follower: Follower) -> Self {
        let settled = timeout(PATIENCE, follower.settled()).await;
        Self {
            follower,
            told: settled.unwrap_or_default(),
            taken_back: BTreeMap::new(),
        }
    }

    /// What the cluster stores, for this node; `None` when nobody could be asked. Of kinds that the
    /// cluster withholds, what is `held`: that it does not say what they are now takes none out of force.
    pub(super) fn documents(&self, held: &[ClusterDocument]) -> Option<Vec<ClusterDocument>> {
        let documents = self.told.documents()?;
        let told = documents.iter().filter_map(|it| self.wanted(it));
        let is_withheld = |held: &&ClusterDocument| {
            let stands = crd::at_path(&held.file.path);
            stands.is_some_and(|(kind, _)| self.told.withholds(kind))
        };
        let kept = held.iter().filter(is_withheld);
        Some(told.chain(kept.cloned()).collect())
    }

    fn wanted(&self, stored: &Stored) -> Option<ClusterDocument> {
        let trying = stored.trying(&self.follower.node);
        let plain = stored.plain();
        let (object, canary) = match trying.filter(|_| self.why_not(stored).is_none()) {
            Some(canary) => {
                let tried = Object {
                    kind: stored.kind,
                    name: stored.name.clone(),
                    spec: canary.spec.clone(),
                };
                let canary = CanaryDocument {
                    limit: canary.limit.unwrap_or(LIMIT),
                    instead: plain.as_ref().map(Object::file),
                };
                (tried, Some(canary))
            }
            None => (plain?, None),
        };
        Some(ClusterDocument {
            file: object.file(),
            generation: stored.generation,
            canary,
        })
    }

    /// Why this node has taken a canary back, now or before it was started.
    fn why_not<'s>(&'s self, stored: &'s Stored) -> Option<&'s str> {
        let here = self.taken_back.get(&stored.path());
        let here = here.filter(|(generation, _)| *generation == stored.generation);
        let said = stored.taken_back.get(&*self.follower.node.0);
        here.map(|(_, why)| why).or(said).map(String::as_str)
    }

    /// Takes a canary back: the next [`documents`](Self::documents) are without it.
    pub(super) fn take_back(&mut self, path: &str, why: String) {
        let documents = self.told.documents().unwrap_or_default();
        if let Some(stored) = documents.iter().find(|it| it.path() == path) {
            self.taken_back
                .insert(path.to_owned(), (stored.generation, why));
        }
    }

    /// What the client told of last.
    pub(super) fn seen(&self) -> &Seen {
        &self.told
    }

    /// Waits for news, and returns what was known before.
    pub(super) async fn news(source: Option<&mut Self>) -> Seen {
        match source {
            Some(source) => {
                let news = source.follower.changed().await;
                std::mem::replace(&mut source.told, news)
            }
            None => std::future::pending().await,
        }
    }

    /// Tells the cluster what became of its documents.
    pub(super) fn report(&self, set: &ClusterSet, image: u64) {
        let Some(documents) = self.told.documents() else {
            return;
        };
        let report = |stored: &Stored| {
            let refused = set.refused().get(&stored.path()).cloned();
            let taken_back = self.why_not(stored).map(str::to_owned);
            let wanted = self.wanted(stored);
            let (state, message) = match (refused, taken_back, wanted) {
                (Some(why), ..) => (NodeState::Rejected, Some(why)),
                (None, Some(why), _) => (NodeState::RolledBack, Some(why)),
                (None, None, wanted) => match wanted?.canary {
                    Some(_) => (NodeState::Canary, None),
                    None => (NodeState::Enforced, None),
                },
            };
            Some(Report {
                kind: stored.kind,
                name: stored.name.clone(),
                generation: stored.generation,
                state,
                image,
                message,
            })
        };
        let reports = documents.iter().filter_map(report).collect();
        self.follower.report(reports);
    }

    /// As `status` has it.
    pub(super) fn status(&self, set: &ClusterSet) -> ClusterStatus {
        let outage = self.told.outage.as_ref().filter(|_| self.told.is_down);
        ClusterStatus {
            node: self.follower.node.to_string(),
            reachable: !self.told.is_down,
            down_since: outage.map(|it| it.since.to_string()),
            error: outage.map(|it| it.error.clone()),
            outages: self.told.outages,
            documents: set.documents().len() as u64,
            refused: set.refused().values().cloned().collect(),
        }
    }
}
