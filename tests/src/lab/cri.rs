//! A container runtime that has no containers, only the list of their pods.

use std::{
    convert::Infallible,
    fs,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{self, Poll},
};

use anyhow::Context;
use enforcer::workloads::cri::{
    ListPodSandboxRequest, ListPodSandboxResponse, PodSandbox, PodSandboxMetadata,
};
use tempfile::TempDir;
use tokio::{net::UnixListener, runtime::Runtime};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{
    Request, Response, Status,
    body::Body,
    codegen::http,
    server::{Grpc, UnaryService},
    transport::Server,
};
use tonic_prost::ProstCodec;
use tower::Service;

type Sandboxes = Arc<Mutex<Vec<PodSandbox>>>;

/// Answers on a unix socket until dropped.
#[derive(Debug)]
pub struct ContainerRuntime {
    sandboxes: Sandboxes,
    directory: TempDir,
    /// What serves, and all that it has accepted.
    serving: Option<Runtime>,
}

impl ContainerRuntime {
    /// Without pods yet.
    ///
    /// # Errors
    /// No directory for temporary files.
    pub fn new() -> anyhow::Result<Self> {
        let mut started = Self {
            sandboxes: Sandboxes::default(),
            directory: TempDir::new()?,
            serving: None,
        };
        started.resume()?;
        Ok(started)
    }

    /// Answers again at the same socket.
    ///
    /// # Errors
    /// It cannot be bound.
    pub fn resume(&mut self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let listener = {
            let _entered = runtime.enter();
            UnixListener::bind(self.socket()).context("bind a unix socket")?
        };
        let service = List(Arc::clone(&self.sandboxes));
        runtime.spawn(async move {
            let connections = UnixListenerStream::new(listener);
            Server::builder()
                .serve_with_incoming(service, connections)
                .await
                .expect("a server that is not ended serves");
        });
        self.serving = Some(runtime);
        Ok(())
    }

    /// Is down: its socket is gone, and every connection.
    ///
    /// # Errors
    /// The socket cannot be removed.
    pub fn interrupt(&mut self) -> anyhow::Result<()> {
        drop(self.serving.take());
        Ok(fs::remove_file(self.socket())?)
    }

    /// Lists no pod any more.
    pub fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<PodSandbox>> {
        self.sandboxes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        socket_in(self.directory.path())
    }

    /// Lists a pod from now on.
    pub fn add(&self, namespace: &str, name: &str, uid: &str, labels: &[(&str, &str)]) {
        let labels = labels
            .iter()
            .map(|&(key, value)| (key.into(), value.into()));
        let sandbox = PodSandbox {
            metadata: Some(PodSandboxMetadata {
                name: name.into(),
                uid: uid.into(),
                namespace: namespace.into(),
            }),
            labels: labels.collect(),
        };
        self.lock().push(sandbox);
    }
}

const SOCKET: &str = "cri.sock";

fn socket_in(directory: &Path) -> PathBuf {
    directory.join(SOCKET)
}

/// Every method is `ListPodSandbox`.
#[derive(Clone, Debug)]
struct List(Sandboxes);

type Answer<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

impl Service<http::Request<Body>> for List {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answer<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let list = self.clone();
        let codec: ProstCodec<ListPodSandboxResponse, ListPodSandboxRequest> =
            ProstCodec::default();
        Box::pin(async move { Ok(Grpc::new(codec).unary(list, request).await) })
    }
}

impl UnaryService<ListPodSandboxRequest> for List {
    type Response = ListPodSandboxResponse;
    type Future = Answer<Response<Self::Response>, Status>;

    fn call(&mut self, _: Request<ListPodSandboxRequest>) -> Self::Future {
        let items = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        Box::pin(async move { Ok(Response::new(ListPodSandboxResponse { items })) })
    }
}
