//! Connections to an API server.

use kube::{
    Api, Client, Config, ResourceExt as _,
    api::{ApiResource, DynamicObject, GroupVersionKind},
    client::ClientBuilder,
    config::InferConfigError,
};

use super::{
    health::{Health, NotingLayer},
    report::{NodeState, NodeStatus},
    seen::Stored,
};
use crate::policy::{
    DocumentName,
    crd::{self, ResourceKind},
};

/// Why a cluster cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// There is neither a kubeconfig nor a service account.
    #[error("find the cluster: give `KUBECONFIG`, or run in a pod with a service account")]
    NoConfiguration(#[source] Box<InferConfigError>),
    /// The configuration cannot be used.
    #[error("use the configuration of the cluster")]
    Configuration(#[source] Box<kube::Error>),
    /// The server did not do what it was asked.
    #[error("{doing}")]
    Request {
        /// What it was asked.
        doing: String,
        /// What it said.
        #[source]
        source: Box<kube::Error>,
    },
    /// Somebody else decides over a field.
    #[error("{object}: {message}; --force-conflicts takes the fields over")]
    Conflict {
        /// `EgressPolicy/NAME`, `NamespacedEgressPolicy/NAMESPACE/NAME`.
        object: String,
        /// What the server said.
        message: String,
    },
    /// The system has no thread left.
    #[error("start a thread for the cluster")]
    Thread(#[source] std::io::Error),
}

impl ClusterError {
    pub(super) fn request(doing: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Request {
            doing,
            source: Box::new(source),
        }
    }
}

/// Where the cluster is: the kubeconfig, else the service account of the pod.
///
/// # Errors
/// There is neither.
pub(super) async fn configuration() -> Result<Config, ClusterError> {
    let inferred = Config::infer().await;
    let mut config = inferred.map_err(|error| ClusterError::NoConfiguration(Box::new(error)))?;
    // Who follows tries again by itself, and tells of it.
    config.default_retry = false;
    Ok(config)
}

/// Reads an object.
pub(super) fn stored(kind: ResourceKind, mut object: DynamicObject) -> Stored {
    let generation = object.metadata.generation.unwrap_or_default();
    let canary = serde_json::from_value(object.data["canary"].take()).ok();
    let of_this = |node: &NodeStatus| {
        node.state == NodeState::RolledBack && node.observed_generation == generation
    };
    let taken_back = nodes(&object).into_iter().filter(of_this);
    let taken_back = taken_back
        .map(|it| (it.node, it.message.unwrap_or_default()))
        .collect();
    Stored {
        kind,
        name: DocumentName::new(object.metadata.namespace.as_deref(), &object.name_any()),
        generation,
        spec: Some(object.data["spec"].take()).filter(|spec| !spec.is_null()),
        canary,
        taken_back,
    }
}

/// What the nodes say.
pub(super) fn nodes(object: &DynamicObject) -> Vec<NodeStatus> {
    let nodes = object.data["status"]["nodes"]
        .as_array()
        .into_iter()
        .flatten();
    // What a newer version of a node writes is not for this one to judge.
    nodes
        .filter_map(|node| serde_json::from_value(node.clone()).ok())
        .collect()
}

/// A client whose requests are noted.
pub(super) fn client(config: Config, health: Health) -> Result<Client, ClusterError> {
    // Another part of the program may have said so before, and it says the same.
    let _ = crate::crypto::provider().as_ref().clone().install_default();
    let builder = ClientBuilder::try_from(config);
    let builder = builder.map_err(|error| ClusterError::Configuration(Box::new(error)))?;
    Ok(builder.with_layer(&NotingLayer(health)).build())
}

/// The documents of a kind, those of one namespace or all.
pub(super) fn documents(
    client: &Client,
    kind: ResourceKind,
    namespace: Option<&str>,
) -> Api<DynamicObject> {
    let named = GroupVersionKind::gvk(crd::group(), crd::version(), kind.name());
    let resource = ApiResource::from_gvk_with_plural(&named, kind.plural());
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}
