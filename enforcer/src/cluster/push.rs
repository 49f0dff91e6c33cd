//! Policies to the cluster: by server-side apply, as `kubectl apply --server-side` does.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Node;
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, ValidationDirective},
    core::PartialObjectMeta,
};
use serde_json::{Value, json};
use tokio::{runtime::Runtime, sync::watch};

use super::{
    client::{ClusterError, client, configuration, documents, nodes, stored},
    health::Health,
    report::NodeStatus,
    seen::{Canary, NodeName, Seen, Stored},
};
use crate::policy::{
    DocumentName,
    crd::{self, Object, ResourceKind},
};

/// Owns `spec`.
const MANAGER: &str = "enforcer";
/// Owns `canary`: to apply one leaves the other alone.
const CANARY_MANAGER: &str = "enforcer-canary";

/// A cluster, for a command that does one thing and ends.
pub struct Cluster {
    client: Client,
    runtime: Runtime,
}

/// How to apply.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    /// Change nothing.
    pub dry_run: bool,
    /// Take over fields that others decide over.
    pub force: bool,
}

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is new.
    Created,
    /// It differs from before.
    Changed,
    /// It is the same.
    Unchanged,
}

/// An object that was applied.
#[derive(Clone, Debug)]
pub struct Applied {
    /// What became of it.
    pub outcome: Outcome,
    /// As it is now.
    pub stored: Stored,
}

impl Cluster {
    /// The cluster of the kubeconfig or of the service account.
    ///
    /// # Errors
    /// There is none, or its configuration is broken.
    pub fn connect() -> Result<Self, ClusterError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(ClusterError::Thread)?;
        let (seen, _) = watch::channel(Seen::default());
        let client = runtime.block_on(async {
            let config = configuration().await?;
            client(config, Health::new(seen.into()))
        })?;
        Ok(Self { client, runtime })
    }

    /// Every document that the cluster stores. With `namespaces`, only what policies of those can name,
    /// and they themselves: who writes to a namespace need not see the others.
    ///
    /// # Errors
    /// The server refuses.
    pub fn documents(
        &self,
        namespaces: Option<&BTreeSet<&str>>,
    ) -> Result<Vec<Stored>, ClusterError> {
        let mut lists: Vec<(ResourceKind, Option<&str>)> = Vec::new();
        match namespaces {
            None => lists.extend(ResourceKind::ALL.map(|kind| (kind, None))),
            Some(namespaces) => {
                lists.extend(
                    [ResourceKind::Region, ResourceKind::Provider].map(|kind| (kind, None)),
                );
                let kind = ResourceKind::NamespacedEgressPolicy;
                lists.extend(namespaces.iter().map(|&namespace| (kind, Some(namespace))));
            }
        }
        let mut all = Vec::new();
        for (kind, namespace) in lists {
            let api = documents(&self.client, kind, namespace);
            let listed = self.runtime.block_on(api.list(&ListParams::default()));
            let doing = format!("list the {} of the cluster", kind.plural());
            match listed {
                Ok(listed) => all.extend(listed.items.into_iter().map(|it| stored(kind, it))),
                // A kind that is not defined has no documents.
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(error) => return Err(ClusterError::request(doing)(error)),
            }
        }
        Ok(all)
    }

    /// Names of the nodes with these labels, all of them without a selector.
    ///
    /// # Errors
    /// The server refuses.
    pub fn nodes(&self, selector: Option<&str>) -> Result<Vec<NodeName>, ClusterError> {
        let api: Api<PartialObjectMeta<Node>> = Api::all(self.client.clone());
        let labelled = ListParams {
            label_selector: selector.map(str::to_owned),
            ..ListParams::default()
        };
        let list = self.runtime.block_on(api.list(&labelled));
        let list = list.map_err(ClusterError::request("list the nodes of the cluster"))?;
        let names = list
            .items
            .iter()
            .map(|node| NodeName(node.name_any().into()));
        Ok(names.collect())
    }

    /// Applies a document.
    ///
    /// # Errors
    /// The server refuses, or somebody else decides over a field of it.
    pub fn apply(&self, object: &Object, how: How) -> Result<Applied, ClusterError> {
        self.patch(object.kind, &object.name, &object.manifest(), MANAGER, how)
    }

    /// Lets some nodes try a spec of a policy.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn stage(
        &self,
        policy: &DocumentName,
        canary: &Canary,
        how: How,
    ) -> Result<Applied, ClusterError> {
        let kind = ResourceKind::of_policy(policy);
        let mut manifest = crd::head(kind, policy);
        manifest["canary"] = json!(canary);
        self.patch(kind, policy, &manifest, CANARY_MANAGER, how)
    }

    /// Ends what [`stage`](Self::stage) began.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn unstage(&self, policy: &DocumentName) -> Result<Applied, ClusterError> {
        let kind = ResourceKind::of_policy(policy);
        let manifest = crd::head(kind, policy);
        self.patch(kind, policy, &manifest, CANARY_MANAGER, How::default())
    }

    /// Removes a document.
    ///
    /// # Errors
    /// The server refuses, or there is none.
    pub fn delete(&self, kind: ResourceKind, name: &DocumentName) -> Result<(), ClusterError> {
        let doing = format!("remove {}/{name}", kind.name());
        let api = documents(&self.client, kind, name.namespace());
        let removed = self
            .runtime
            .block_on(api.delete(name.name(), &DeleteParams::default()));
        removed.map(drop).map_err(ClusterError::request(doing))
    }

    /// A document, and what the nodes say of it.
    ///
    /// # Errors
    /// The server refuses, or there is none.
    pub fn state(
        &self,
        kind: ResourceKind,
        name: &DocumentName,
    ) -> Result<(Stored, Vec<NodeStatus>), ClusterError> {
        let doing = format!("get {}/{name}", kind.name());
        let api = documents(&self.client, kind, name.namespace());
        let object = self.runtime.block_on(api.get(name.name()));
        let object = object.map_err(ClusterError::request(doing))?;
        let nodes = nodes(&object);
        Ok((stored(kind, object), nodes))
    }

    fn patch(
        &self,
        kind: ResourceKind,
        name: &DocumentName,
        manifest: &Value,
        manager: &str,
        how: How,
    ) -> Result<Applied, ClusterError> {
        let api = documents(&self.client, kind, name.namespace());
        let doing = format!("apply {}/{name}", kind.name());
        let params = PatchParams {
            dry_run: how.dry_run,
            force: how.force,
            field_manager: Some(manager.to_owned()),
            field_validation: Some(ValidationDirective::Strict),
        };
        let applied = self.runtime.block_on(async {
            let before = api.get_opt(name.name()).await?;
            let patch = Patch::Apply(manifest);
            let after = api.patch(name.name(), &params, &patch).await?;
            Ok((before, after))
        });
        let refused = |error| {
            if let kube::Error::Api(status) = &error
                && status.code == 409
            {
                return ClusterError::Conflict {
                    object: format!("{}/{name}", kind.name()),
                    message: status.message.clone(),
                };
            }
            ClusterError::request(doing)(error)
        };
        let (before, after) = applied.map_err(refused)?;
        let outcome = match &before {
            None => Outcome::Created,
            Some(before) if content(before) == content(&after) => Outcome::Unchanged,
            Some(_) => Outcome::Changed,
        };
        let stored = stored(kind, after);
        Ok(Applied { outcome, stored })
    }
}

/// What people write.
fn content(object: &DynamicObject) -> [&Value; 2] {
    ["spec", "canary"].map(|field| &object.data[field])
}
