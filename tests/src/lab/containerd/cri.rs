//! Asks a container runtime, as a kubelet does.

use std::{io, path::Path, time::Duration};

use anyhow::{Context, bail};
use enforcer::workloads::cri::{ListPodSandboxRequest, ListPodSandboxResponse};
use hyper_util::rt::TokioIo;
use tokio::{net::UnixStream, time::sleep};
use tonic::{
    client::Grpc,
    codegen::http::uri::PathAndQuery,
    transport::{Channel, Endpoint, Uri},
};
use tonic_prost::ProstCodec;
use tower::service_fn;

use super::messages::{
    ContainerId, ContainerStatus, CreateContainer, Done, ExecSync, Executed, RunPodSandbox,
    Sandbox, StatusAnswer,
};

/// A runtime that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// A connection, made anew when the runtime was.
#[derive(Clone, Debug)]
pub(super) struct Cri {
    channel: Channel,
}

impl Cri {
    pub(super) fn at(socket: &Path) -> Self {
        let socket = socket.to_owned();
        let connect = move |_: Uri| {
            let socket = socket.clone();
            async move { Ok::<_, io::Error>(TokioIo::new(UnixStream::connect(socket).await?)) }
        };
        let channel = Endpoint::from_static("http://localhost")
            .timeout(PATIENCE)
            .connect_with_connector_lazy(service_fn(connect));
        Self { channel }
    }

    /// Waits until the runtime answers.
    pub(super) async fn ready(&self) -> anyhow::Result<()> {
        for _ in 0..600 {
            if self.call::<Done, Done>("Version", Done {}).await.is_ok() {
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
        bail!("the container runtime does not answer")
    }

    pub(super) async fn run(&self, sandbox: RunPodSandbox) -> anyhow::Result<Sandbox> {
        self.call("RunPodSandbox", sandbox).await
    }

    pub(super) async fn list(&self) -> anyhow::Result<usize> {
        let answer: ListPodSandboxResponse = self
            .call("ListPodSandbox", ListPodSandboxRequest {})
            .await?;
        Ok(answer.items.len())
    }

    pub(super) async fn create(&self, container: CreateContainer) -> anyhow::Result<ContainerId> {
        self.call("CreateContainer", container).await
    }

    pub(super) async fn start(&self, container: ContainerId) -> anyhow::Result<()> {
        let done: Done = self.call("StartContainer", container).await?;
        let Done {} = done;
        Ok(())
    }

    pub(super) async fn exec(&self, exec: ExecSync) -> anyhow::Result<Executed> {
        self.call("ExecSync", exec).await
    }

    pub(super) async fn status(&self, container: ContainerId) -> anyhow::Result<ContainerStatus> {
        let answer: StatusAnswer = self.call("ContainerStatus", container).await?;
        answer.status.context("a container without a status")
    }

    pub(super) async fn remove_container(&self, container: ContainerId) -> anyhow::Result<()> {
        let _: Done = self.call("RemoveContainer", container).await?;
        Ok(())
    }

    /// Ends a pod and forgets it.
    pub(super) async fn remove(&self, sandbox: Sandbox) -> anyhow::Result<()> {
        let _: Done = self.call("StopPodSandbox", sandbox.clone()).await?;
        let _: Done = self.call("RemovePodSandbox", sandbox).await?;
        Ok(())
    }

    async fn call<Q, A>(&self, method: &str, question: Q) -> anyhow::Result<A>
    where
        Q: prost::Message + Send + Sync + 'static,
        A: prost::Message + Default + Send + Sync + 'static,
    {
        let mut client = Grpc::new(self.channel.clone());
        client.ready().await.context("reach the runtime")?;
        let path = PathAndQuery::try_from(format!("/runtime.v1.RuntimeService/{method}"))?;
        let codec: ProstCodec<Q, A> = ProstCodec::default();
        let answer = client
            .unary(tonic::Request::new(question), path, codec)
            .await;
        Ok(answer.with_context(|| method.to_owned())?.into_inner())
    }
}
