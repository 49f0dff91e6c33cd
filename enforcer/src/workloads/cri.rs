//! Pods of this node, as the container runtime lists them over CRI (`runtime.v1`, gRPC over a unix
//! socket; containerd 1.6, CRI-O 1.20 and later).

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::{
    client::Grpc,
    codegen::http::{Uri, uri::PathAndQuery},
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;
use tower::service_fn;

use super::{layout::PodUid, pods::PodInfo};

/// Where runtimes have their sockets when nobody says otherwise.
const SOCKETS: [&str; 3] = [
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/run/k3s/containerd/containerd.sock",
];
/// A runtime that takes longer is as good as down.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why a runtime did not answer.
#[derive(Debug, thiserror::Error)]
pub enum CriError {
    /// It cannot be reached.
    #[error("connect to the container runtime at {socket}")]
    Connect {
        /// The socket.
        socket: PathBuf,
        /// What the system said.
        #[source]
        source: tonic::transport::Error,
    },
    /// There was one, and its socket is gone.
    #[error("no container runtime has its socket at one of the usual places any more")]
    Gone,
    /// It refused.
    #[error("list the pods of the container runtime at {socket}")]
    Refused {
        /// The socket.
        socket: PathBuf,
        /// What it said.
        #[source]
        source: Box<tonic::Status>,
    },
}

/// A container runtime, and a connection to it that is made when it is needed, and anew after it broke.
#[derive(Clone, Debug)]
pub struct Runtime {
    socket: PathBuf,
    channel: Channel,
}

impl Runtime {
    /// The one at this socket, which need not be there yet.
    ///
    /// # Panics
    /// Outside of a runtime of tokio, which is what serves the connection.
    #[must_use]
    pub fn at(socket: &Path) -> Self {
        let path = socket.to_owned();
        let connect = move |_: Uri| {
            let path = path.clone();
            async move { Ok::<_, io::Error>(TokioIo::new(UnixStream::connect(path).await?)) }
        };
        // The name is not used: the connector knows where to go.
        let channel = Endpoint::from_static("http://localhost")
            .connect_timeout(PATIENCE)
            .timeout(PATIENCE)
            .connect_with_connector_lazy(service_fn(connect));
        Self {
            socket: socket.to_owned(),
            channel,
        }
    }

    /// The first whose socket is at one of the usual places.
    ///
    /// # Panics
    /// As [`Runtime::at`].
    #[must_use]
    pub fn find() -> Option<Self> {
        let found = SOCKETS.iter().map(Path::new).find(|path| path.exists());
        found.map(Self::at)
    }

    /// Every pod that it knows.
    ///
    /// # Errors
    /// It is down, or is no CRI runtime.
    pub async fn pods(&self) -> Result<Vec<(PodUid, PodInfo)>, CriError> {
        let mut client = Grpc::new(self.channel.clone());
        let refused = |source| CriError::Refused {
            socket: self.socket.clone(),
            source: Box::new(source),
        };
        let ready = client.ready().await;
        ready.map_err(|source| CriError::Connect {
            socket: self.socket.clone(),
            source,
        })?;
        let method = PathAndQuery::from_static("/runtime.v1.RuntimeService/ListPodSandbox");
        let request = tonic::Request::new(ListPodSandboxRequest {});
        let codec: ProstCodec<ListPodSandboxRequest, ListPodSandboxResponse> =
            ProstCodec::default();
        let answer = client
            .unary(request, method, codec)
            .await
            .map_err(refused)?;
        let sandboxes = answer.into_inner().items;
        Ok(sandboxes.into_iter().filter_map(PodSandbox::pod).collect())
    }
}

/// Fields and numbers of `k8s.io/cri-api/pkg/apis/runtime/v1/api.proto`, as far as they are used.
/// Without a filter, every sandbox is listed.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ListPodSandboxRequest {}

/// See [`ListPodSandboxRequest`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct ListPodSandboxResponse {
    /// The sandboxes.
    #[prost(message, repeated, tag = "1")]
    pub items: Vec<PodSandbox>,
}

/// See [`ListPodSandboxRequest`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct PodSandbox {
    /// Whose it is.
    #[prost(message, optional, tag = "2")]
    pub metadata: Option<PodSandboxMetadata>,
    /// Labels of the pod.
    #[prost(map = "string, string", tag = "5")]
    pub labels: HashMap<String, String>,
}

/// See [`ListPodSandboxRequest`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct PodSandboxMetadata {
    /// Name of the pod.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its uid.
    #[prost(string, tag = "2")]
    pub uid: String,
    /// Its namespace.
    #[prost(string, tag = "3")]
    pub namespace: String,
}

impl PodSandbox {
    fn pod(self) -> Option<(PodUid, PodInfo)> {
        let metadata = self.metadata?;
        let info = PodInfo {
            namespace: metadata.namespace.into(),
            name: metadata.name.into(),
            labels: self.labels.into_iter().collect(),
        };
        Some((PodUid::parse(&metadata.uid)?, info))
    }
}
