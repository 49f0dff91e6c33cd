//! The daemon's side.

use std::{
    convert::Infallible,
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    net::{UnixListener, UnixStream},
    sync::{broadcast, mpsc, oneshot},
};
use tokio_stream::{
    StreamExt as _,
    wrappers::{BroadcastStream, errors::BroadcastStreamRecvError},
};

use super::{ExplainRequest, Explanation, FlowList, Problem, Reloaded, Status};

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
    /// How destinations of a workload are decided.
    Explain(
        ExplainRequest,
        oneshot::Sender<Result<Vec<Explanation>, Problem>>,
    ),
}

/// The socket, removed when dropped.
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
    requests: mpsc::Sender<Request>,
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
            .with_state(self.requests.clone());
        loop {
            // A failed accept is the caller's trouble (it hung up) or passes (no descriptors).
            if let Ok((stream, _)) = self.listener.accept().await
                && may_ask(&stream)
            {
                let service = TowerToHyperService::new(routes.clone());
                tokio::spawn(async move {
                    let server = hyper::server::conn::http1::Builder::new();
                    // The caller sees what went wrong with its connection.
                    drop(server.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Best effort: the next daemon replaces it anyway.
        drop(fs::remove_file(&self.path));
    }
}

/// Root, and the user the daemon runs as.
fn may_ask(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream
        .peer_cred()
        .is_ok_and(|peer| peer.uid() == 0 || peer.uid() == own)
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
    let answer = ask(&daemon, |reply| Request::Explain(request, reply)).await;
    match answer {
        Ok(Ok(explanations)) => Json(explanations).into_response(),
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
        let problem = Problem {
            error: "no such cgroup".to_owned(),
        };
        match exchange("/unknown", Err(problem)) {
            Err(CallError::Problem(error)) => assert_eq!(error, "no such cgroup"),
            other => panic!("{other:?}"),
        }
    }
}
