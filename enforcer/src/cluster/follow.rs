//! The client's thread.

use std::{collections::BTreeMap, sync::Arc, thread};

use futures_util::future::join_all;
use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{Api, Client, core::PartialObjectMeta, runtime::watcher};
use tokio::sync::watch;

use super::{
    Follower, Report,
    client::{ClusterError, client, configuration, documents, stored},
    health::Health,
    mirror::mirror,
    seen::{NodeName, Seen, Stored},
    write::write,
};
use crate::{
    policy::crd::ResourceKind,
    workloads::{PodInfo, layout::PodUid},
};

/// Set by the kubelet on the mirror of a static pod: the uid that its cgroup has.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// Follows the cluster of the kubeconfig or of the service account, for as long as the [`Follower`]
/// is there.
///
/// # Errors
/// There is no cluster to follow. One that is down is followed as soon as it is up.
pub fn follow(node: NodeName) -> Result<Follower, ClusterError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ClusterError::Thread)?;
    let (seen, follower_seen) = watch::channel(Seen::default());
    let (reports, to_report) = watch::channel(Vec::new());
    let seen = Arc::new(seen);
    let client = runtime.block_on(async {
        let config = configuration().await?;
        client(config, Health::new(Arc::clone(&seen)))
    })?;
    let follower = Follower {
        seen: follower_seen,
        reports,
        node: node.clone(),
    };
    thread::Builder::new()
        .name("cluster".to_owned())
        .spawn(move || runtime.block_on(attend(&client, &node, &seen, to_report)))
        .map_err(ClusterError::Thread)?;
    Ok(follower)
}

async fn attend(
    client: &Client,
    node: &NodeName,
    seen: &watch::Sender<Seen>,
    reports: watch::Receiver<Vec<Report>>,
) {
    let of_kind = |kind| {
        mirror(
            documents(client, kind, None),
            watcher::Config::default(),
            move |object| {
                let stored = stored(kind, object);
                Some((stored.name.to_string(), stored))
            },
            move |all| tell_documents(seen, kind, all),
            move || {
                seen.send_if_modified(|seen| seen.withheld.insert(kind));
            },
        )
    };
    let pods = mirror(
        Api::<PartialObjectMeta<Pod>>::all(client.clone()),
        watcher::Config::default().fields(&format!("spec.nodeName={node}")),
        |pod| pod_of(pod.metadata),
        |pods| tell_pods(seen, pods),
        || {},
    );
    let documents = join_all(ResourceKind::ALL.map(of_kind));
    tokio::select! {
        _ = documents => {}
        () = pods => {}
        () = write(client.clone(), node.clone(), reports) => {}
    }
}

fn tell_documents(
    seen: &watch::Sender<Seen>,
    kind: ResourceKind,
    stored: &BTreeMap<String, Stored>,
) {
    let stored: Vec<Stored> = stored.values().cloned().collect();
    // Statuses of other nodes come this way too.
    seen.send_if_modified(|seen| {
        let was_withheld = seen.withheld.remove(&kind);
        let changed = was_withheld
            || seen
                .kinds
                .get(&kind)
                .is_none_or(|before| **before != stored);
        if changed {
            seen.kinds.insert(kind, Arc::new(stored));
        }
        changed
    });
}

fn tell_pods(seen: &watch::Sender<Seen>, pods: &BTreeMap<String, (PodUid, PodInfo)>) {
    let pods: Vec<_> = pods.values().cloned().collect();
    seen.send_if_modified(|seen| {
        let changed = seen.pods.as_ref().is_none_or(|before| **before != pods);
        if changed {
            seen.pods = Some(Arc::new(pods));
        }
        changed
    });
}

fn pod_of(metadata: ObjectMeta) -> Option<(String, (PodUid, PodInfo))> {
    let uid = metadata.uid?;
    let annotations = &metadata.annotations;
    let of_cgroup = annotations.as_ref().and_then(|it| it.get(MIRROR));
    let info = PodInfo {
        namespace: metadata.namespace?.into(),
        name: metadata.name?.into(),
        labels: metadata.labels.unwrap_or_default(),
    };
    let pod = PodUid::parse(of_cgroup.unwrap_or(&uid))?;
    Some((uid, (pod, info)))
}
