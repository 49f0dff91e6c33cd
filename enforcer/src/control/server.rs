//! The daemon's side.

mod caller;
mod calls;

use std::{
    convert::Infallible,
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use axum::{
    Extension, Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use hyper_util::{rt::TokioIo, server::graceful::GracefulShutdown, service::TowerToHyperService};
use serde::Serialize;
use tokio::{
    net::{UnixListener, unix::UCred},
    sync::{broadcast, mpsc, oneshot},
};
use tokio_stream::{
    StreamExt as _,
    wrappers::{BroadcastStream, errors::BroadcastStreamRecvError},
};

pub use caller::this_process;
pub use calls::{IsolationCall, PolicyCall};

use super::{Detached, ExplainRequest, Explanation, FlowList, Problem, Reloaded, Status};

/// How long callers have to read their answers when the daemon ends.
const FAREWELL: Duration = Duration::from_secs(2);

/// What the daemon is asked.
pub enum Request {
    /// How it stands.
    Status(oneshot::Sender<Status>),
    /// Who went where.
    Flows(oneshot::Sender<FlowList>),
    /// To tell what happens from now on.
    Watch(oneshot::Sender<broadcast::Receiver<Bytes>>),
    /// To read policies and databases again.
    Reload(oneshot::Sender<Reloaded>),
    /// About policies.
    Policies(PolicyCall),
    /// About isolation.
    Isolation(IsolationCall),
    /// To end enforcement, and itself.
    Detach(Reply<Detached>),
    /// How destinations of a workload are decided.
    Explain(ExplainRequest, Reply<Vec<Explanation>>),
}

/// Where the daemon puts its answer.
pub type Reply<T> = oneshot::Sender<Result<T, Problem>>;

/// The socket, removed when dropped.
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
    requests: mpsc::Sender<Request>,
    connections: GracefulShutdown,
}

impl Server {
    /// Listens at `path`. A socket that a killed daemon left is replaced.
    ///
    /// # Errors
    /// The directory cannot be made or the socket not bound.
    pub fn bind(path: &Path, requests: mpsc::Sender<Request>) -> io::Result<Self> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        Ok(Self {
            listener,
            path: path.into(),
            requests,
            connections: GracefulShutdown::new(),
        })
    }

    /// Serves one caller after the other, each in a task of its own. Never returns.
    pub async fn serve(&self) {
        let routes = Router::new()
            .route("/v1/status", get(status))
            .route("/v1/flows", get(flows))
            .route("/v1/events", get(events))
            .route("/v1/reload", post(reload))
            .route("/v1/explain", post(explain))
            .route("/v1/detach", post(detach))
            .merge(calls::routes())
            .with_state(self.requests.clone());
        loop {
            // A failed accept is the caller's trouble (it hung up) or passes (no descriptors).
            if let Ok((stream, _)) = self.listener.accept().await
                && let Ok(peer) = stream.peer_cred()
                && may_ask(&peer)
            {
                let author = Extension(caller::author(&peer));
                let service = TowerToHyperService::new(routes.clone().layer(author));
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                let connection = self.connections.watch(connection);
                // The caller sees what went wrong with its connection.
                tokio::spawn(async move { drop(connection.await) });
            }
        }
    }

    /// Takes no more callers, and lets those that are there have their answers.
    pub async fn finish(mut self) {
        let connections = std::mem::take(&mut self.connections);
        // Somebody may never read its answer.
        drop(tokio::time::timeout(FAREWELL, connections.shutdown()).await);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Best effort: the next daemon replaces it anyway.
        drop(fs::remove_file(&self.path));
    }
}

/// Root, and the user the daemon runs as.
fn may_ask(peer: &UCred) -> bool {
    peer.uid() == 0 || peer.uid() == rustix::process::geteuid().as_raw()
}

async fn status(State(daemon): State<mpsc::Sender<Request>>) -> Result<Json<Status>, StatusCode> {
    ask(&daemon, Request::Status).await.map(Json)
}

async fn flows(State(daemon): State<mpsc::Sender<Request>>) -> Result<Json<FlowList>, StatusCode> {
    ask(&daemon, Request::Flows).await.map(Json)
}

/// Lines until the caller hangs up. One that falls behind is told how many events it missed.
async fn events(State(daemon): State<mpsc::Sender<Request>>) -> Result<Response, StatusCode> {
    let receiver = ask(&daemon, Request::Watch).await?;
    let lines = BroadcastStream::new(receiver).map(|line| {
        Ok::<_, Infallible>(
            line.unwrap_or_else(|BroadcastStreamRecvError::Lagged(missed)| {
                format!("{{\"enforcer\":{{\"missed\":{missed}}}}}\n").into()
            }),
        )
    });
    let kind = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((kind, Body::from_stream(lines)).into_response())
}

async fn reload(State(daemon): State<mpsc::Sender<Request>>) -> Result<Json<Reloaded>, StatusCode> {
    ask(&daemon, Request::Reload).await.map(Json)
}

async fn explain(
    State(daemon): State<mpsc::Sender<Request>>,
    Json(request): Json<ExplainRequest>,
) -> Response {
    respond(&daemon, |reply| Request::Explain(request, reply)).await
}

async fn detach(State(daemon): State<mpsc::Sender<Request>>) -> Response {
    respond(&daemon, Request::Detach).await
}

/// The daemon's answer, or 422 and what it has against the request.
async fn respond<T: Serialize>(
    daemon: &mpsc::Sender<Request>,
    request: impl FnOnce(Reply<T>) -> Request,
) -> Response {
    match ask(daemon, request).await {
        Ok(Ok(answer)) => Json(answer).into_response(),
        Ok(Err(problem)) => (StatusCode::UNPROCESSABLE_ENTITY, Json(problem)).into_response(),
        Err(status) => status.into_response(),
    }
}

async fn ask<T>(
    daemon: &mpsc::Sender<Request>,
    request: impl FnOnce(oneshot::Sender<T>) -> Request,
) -> Result<T, StatusCode> {
    let (reply, answer) = oneshot::channel();
    let sent = daemon.send(request(reply)).await;
    sent.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    answer.await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::client::{CallError, send};

    /// Asks over a socket and lets the daemon answer with `reply`.
    fn exchange(
        workload: &'static str,
        reply: Result<Vec<Explanation>, Problem>,
    ) -> Result<Vec<Explanation>, CallError> {
        let directory = tempfile::tempdir().expect("a directory");
        let socket = directory.path().join("socket");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let (requests, mut asked) = mpsc::channel(1);
            let server = Server::bind(&socket, requests).expect("bound");
            let request = ExplainRequest {
                workload: workload.to_owned(),
                to: Vec::new(),
            };
            let socket = socket.clone();
            let caller =
                tokio::task::spawn_blocking(move || send(&socket, "/v1/explain", &request));
            let daemon = async {
                match asked.recv().await {
                    Some(Request::Explain(request, answer)) => {
                        assert_eq!(request.workload, workload);
                        assert!(answer.send(reply).is_ok(), "the caller waits");
                    }
                    _ => panic!("another request"),
                }
                caller.await.expect("no panic")
            };
            tokio::select! {
                () = server.serve() => unreachable!("it never returns"),
                answer = daemon => answer,
            }
        })
    }

    #[test]
    fn a_question_is_answered_or_refused_in_words() {
        let none = exchange("/known", Ok(Vec::new()));
        assert_eq!(none.expect("an answer"), []);
        let problem = Problem::new("no such cgroup");
        match exchange("/unknown", Err(problem)) {
            Err(CallError::Problem(error)) => assert_eq!(error, "no such cgroup"),
            other => panic!("{other:?}"),
        }
    }
}
