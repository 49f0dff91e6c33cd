//! Writes what this node makes of each document into the status of that document.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;
use kube::{
    Client,
    api::{Patch, PatchParams},
};
use serde_json::json;
use tokio::{sync::watch, time::sleep};

use super::{
    client::documents,
    report::{NodeStatus, Report},
    seen::NodeName,
};
use crate::policy::{
    DocumentName,
    crd::{self, ResourceKind},
};

/// A status that could not be written is tried again after this.
const AGAIN: Duration = Duration::from_secs(5);
/// Longest name of a field manager (Kubernetes, `ValidateFieldManager`).
const LONGEST_MANAGER: usize = 128;

/// Writes reports as they come, until there is nobody to make any.
pub(super) async fn write(
    client: Client,
    node: NodeName,
    mut reports: watch::Receiver<Vec<Report>>,
) {
    let mut written: HashMap<(ResourceKind, DocumentName), Report> = HashMap::new();
    loop {
        let now = reports.borrow_and_update().clone();
        let mut failed = false;
        let key = |report: &Report| (report.kind, report.name.clone());
        for report in &now {
            let before = written.get(&key(report));
            if before.is_some_and(|before| before.says_the_same(report)) {
                continue;
            }
            match apply(&client, &node, report).await {
                Ok(()) => drop(written.insert(key(report), report.clone())),
                // It was removed meanwhile.
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(_) => failed = true,
            }
        }
        written.retain(|key, _| now.iter().any(|it| (it.kind, &it.name) == (key.0, &key.1)));
        let changed = reports.changed();
        let changed = if failed {
            tokio::select! {
                changed = changed => changed,
                () = sleep(AGAIN) => Ok(()),
            }
        } else {
            changed.await
        };
        if changed.is_err() {
            return;
        }
    }
}

async fn apply(client: &Client, node: &NodeName, report: &Report) -> kube::Result<()> {
    let status = NodeStatus {
        node: node.to_string(),
        state: report.state,
        observed_generation: report.generation,
        image: report.image,
        message: report.message.clone(),
    };
    let mut status = json!(status);
    status["at"] = Timestamp::now().to_string().into();
    let mut patch = crd::head(report.kind, &report.name);
    patch["status"] = json!({"nodes": [status]});
    // Each node owns its own element, and nobody else writes it.
    let mut manager = format!("enforcer-node-{node}");
    manager.truncate(LONGEST_MANAGER);
    let params = PatchParams::apply(&manager).force();
    let api = documents(client, report.kind, report.name.namespace());
    api.patch_status(report.name.name(), &params, &Patch::Apply(&patch))
        .await?;
    Ok(())
}
