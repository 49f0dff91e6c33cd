//! The API of a cluster: the documents that it stores, the pods of this node, and what this node
//! says of both.
//!
//! ```text
//! API server ─▶ mirror (list, watch) ─▶ Seen ─▶ daemon ─▶ Report ─▶ status (server-side apply) ─▶ API server
//! ```
//!
//! A client has a thread of its own, so that a slow server never keeps the daemon waiting. Only the
//! latest state passes between them: what changes while the daemon is busy is seen once.

#[cfg(feature = "cluster")]
mod client;
#[cfg(feature = "cluster")]
mod follow;
#[cfg(feature = "cluster")]
mod health;
#[cfg(feature = "cluster")]
mod mirror;
#[cfg(feature = "cluster")]
mod push;
mod report;
mod seen;
#[cfg(feature = "cluster")]
mod write;

use tokio::sync::watch;

#[cfg(feature = "cluster")]
pub use self::{
    client::ClusterError,
    follow::follow,
    push::{Applied, Cluster, How, Outcome},
};
pub use self::{
    report::{NodeState, NodeStatus, Report},
    seen::{Canary, NodeName, Outage, Seen, Stored},
};

/// What the daemon has of the client's thread.
#[derive(Debug)]
pub struct Follower {
    seen: watch::Receiver<Seen>,
    reports: watch::Sender<Vec<Report>>,
    /// The node that it follows for.
    pub node: NodeName,
}

impl Follower {
    /// Waits until something is different from what was last told.
    pub async fn changed(&mut self) -> Seen {
        if self.seen.changed().await.is_err() {
            // The thread ends with the daemon.
            std::future::pending::<()>().await;
        }
        self.seen.borrow_and_update().clone()
    }

    /// Waits until everything was listed, or cannot be for now. [`changed`](Self::changed) tells of it
    /// again.
    pub async fn settled(&self) -> Seen {
        let mut seen = self.seen.clone();
        let settled =
            |seen: &Seen| seen.is_down || (seen.pods.is_some() && seen.documents().is_some());
        match seen.wait_for(settled).await {
            Ok(seen) => seen.clone(),
            Err(_) => std::future::pending().await,
        }
    }

    /// Says what this node makes of every document. Who was not told of is not spoken of any more.
    pub fn report(&self, reports: Vec<Report>) {
        // The thread that would write it ends with the daemon.
        let _ = self.reports.send(reports);
    }
}
