//! An API server of a cluster, as far as this program speaks to one: lists in pages, watches with
//! bookmarks, versions that are gone, server-side apply with its conflicts, the published schemas, and
//! connections that break.

mod answer;
mod apply;
mod store;

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use axum::{Router, extract::Request};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, runtime::Runtime, sync::watch};

pub use self::store::Gone;
use self::store::Store;

/// What the answers to requests share with who holds the server.
#[derive(Clone, Debug)]
struct Shared {
    store: Arc<Mutex<Store>>,
    /// Rung when there is something new for watches.
    changes: watch::Sender<u64>,
}

impl Shared {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}

/// A server on the loopback. What it stores outlives [`ApiServer::stop`].
#[derive(Debug)]
pub struct ApiServer {
    shared: Shared,
    address: SocketAddr,
    directory: TempDir,
    running: Option<Runtime>,
}

impl ApiServer {
    /// Starts one that stores nothing but the definitions of this program's documents.
    ///
    /// # Errors
    /// No port, or no directory for temporary files.
    pub fn new() -> anyhow::Result<Self> {
        let mut server = Self {
            shared: Shared {
                store: Arc::new(Mutex::new(Store::new()?)),
                changes: watch::channel(0).0,
            },
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            directory: TempDir::new()?,
            running: None,
        };
        server.start()?;
        Ok(server)
    }

    /// Starts it again after [`ApiServer::stop`], at the same address.
    ///
    /// # Errors
    /// Somebody else has the port.
    pub fn start(&mut self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let listener = runtime
            .block_on(TcpListener::bind(self.address))
            .context("bind the API server")?;
        self.address = listener.local_addr()?;
        let shared = self.shared.clone();
        let answer = move |request: Request| answer::answer(shared.clone(), request);
        let router = Router::new().fallback(answer);
        runtime.spawn(async move { axum::serve(listener, router).await });
        self.running = Some(runtime);
        Ok(())
    }

    /// Breaks every connection and takes no more.
    pub fn stop(&mut self) {
        if let Some(runtime) = self.running.take() {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
    }

    /// A kubeconfig for it.
    ///
    /// # Errors
    /// The directory is full.
    pub fn kubeconfig(&self) -> anyhow::Result<PathBuf> {
        let path = self.directory.path().join("kubeconfig");
        let named = |kind: &str, content: Value| json!([{"name": "lab", kind: content}]);
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "lab",
            "clusters": named("cluster", json!({"server": format!("http://{}", self.address)})),
            "users": named("user", json!({})),
            "contexts": named("context", json!({"cluster": "lab", "user": "lab"})),
        });
        fs::write(&path, config.to_string())?;
        Ok(path)
    }

    /// Applies a manifest as another client would, such as `kubectl`.
    ///
    /// # Errors
    /// The server refuses it.
    pub fn apply(&self, manifest: &Value) -> anyhow::Result<()> {
        let applied = self.shared.store().apply_manifest(manifest, "kubectl");
        self.shared.ring();
        match applied {
            Ok(_) => Ok(()),
            Err(refusal) => bail!("{}", refusal.message),
        }
    }

    /// Puts an object as it is into a collection, such as `/api/v1/pods`. Here and elsewhere, the name of
    /// one of a namespace is `NAMESPACE/NAME`.
    pub fn put(&self, collection: &str, name: &str, object: Value) {
        self.shared.store().put(collection, name, object);
        self.shared.ring();
    }

    /// Removes an object.
    pub fn delete(&self, collection: &str, name: &str) {
        self.shared.store().delete(collection, name);
        self.shared.ring();
    }

    /// Puts a pod of a node, `NAMESPACE/NAME`.
    pub fn put_pod(&self, node: &str, name: &str, uid: &str, labels: &Value) {
        self.put(
            "/api/v1/pods",
            name,
            json!({
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"uid": uid, "labels": labels},
                "spec": {"nodeName": node},
            }),
        );
    }

    /// Defines a kind of document, or takes its definition away: requests for it get 404.
    pub fn define(&self, collection: &str, is_defined: bool) {
        self.shared.store().define(collection, is_defined);
    }

    /// An object, or null.
    #[must_use]
    pub fn get(&self, collection: &str, name: &str) -> Value {
        let found = self.shared.store().get(collection, name);
        found.unwrap_or_default()
    }

    /// Forgets what happened until now, and sends every watch away: who saw less must list anew, and
    /// is told so in this way.
    pub fn forget(&self, how: Gone) {
        self.shared.store().forget(how);
        self.shared.ring();
    }

    /// Ends every watch, in the middle of a line.
    pub fn disconnect(&self) {
        self.shared.store().end_watches();
        self.shared.ring();
    }

    /// Sends every watch a bookmark.
    pub fn bookmark(&self) {
        self.shared.store().bookmark();
        self.shared.ring();
    }

    /// How often a collection was listed.
    #[must_use]
    pub fn lists(&self, collection: &str) -> usize {
        self.shared.store().lists(collection)
    }

    /// Watches that are open.
    #[must_use]
    pub fn watches(&self, collection: &str) -> usize {
        self.shared.store().watches(collection)
    }

    /// Waits until something is so.
    ///
    /// # Errors
    /// It is not within a minute.
    pub fn wait_until(&self, so: impl Fn(&Self) -> bool) -> anyhow::Result<()> {
        let started = Instant::now();
        while !so(self) {
            if started.elapsed() > Duration::from_secs(60) {
                bail!("it never was so");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.stop();
    }
}
