//! What is asked about policies and isolation.

use axum::{
    Extension, Json, Router,
    extract::{DefaultBodyLimit, Path, State},
    response::Response,
    routing::{get, post},
};
use tokio::sync::mpsc;

use super::{Reply, Request, respond};
use crate::control::{
    Author, IsolateRequest, Isolation, PolicyEntry, PolicyText, PushRequest, Pushed,
    ReleaseRequest, Revision, RollbackRequest,
};

/// Largest message in bytes: a bundle with several files of the largest size.
const MOST: usize = 64 << 20;

/// About policies.
pub enum PolicyCall {
    /// What is in force.
    List(Reply<Vec<PolicyEntry>>),
    /// The text of one.
    Show(String, Reply<PolicyText>),
    /// Put these into force.
    Push(PushRequest, Author, Reply<Pushed>),
    /// What was pushed, the latest last.
    History(Reply<Vec<Revision>>),
    /// Put an earlier revision into force.
    Rollback(RollbackRequest, Author, Reply<Pushed>),
}

/// About isolation.
pub enum IsolationCall {
    /// Begin, or change what is isolated already.
    Isolate(IsolateRequest, Author, Reply<Isolation>),
    /// End.
    Release(ReleaseRequest, Author, Reply<Isolation>),
}

type Daemon = State<mpsc::Sender<Request>>;

/// Their routes.
pub(super) fn routes() -> Router<mpsc::Sender<Request>> {
    Router::new()
        .route("/v1/policies", get(list).post(push))
        .route("/v1/policies/{*name}", get(show))
        .route("/v1/revisions", get(history))
        .route("/v1/rollback", post(rollback))
        .route("/v1/isolate", post(isolate))
        .route("/v1/release", post(release))
        .layer(DefaultBodyLimit::max(MOST))
}

async fn list(State(daemon): Daemon) -> Response {
    respond(&daemon, |reply| Request::Policies(PolicyCall::List(reply))).await
}

async fn show(State(daemon): Daemon, Path(name): Path<String>) -> Response {
    let call = |reply| Request::Policies(PolicyCall::Show(name, reply));
    respond(&daemon, call).await
}

async fn push(
    State(daemon): Daemon,
    Extension(author): Extension<Author>,
    Json(request): Json<PushRequest>,
) -> Response {
    let call = |reply| Request::Policies(PolicyCall::Push(request, author, reply));
    respond(&daemon, call).await
}

async fn history(State(daemon): Daemon) -> Response {
    respond(&daemon, |reply| {
        Request::Policies(PolicyCall::History(reply))
    })
    .await
}

async fn rollback(
    State(daemon): Daemon,
    Extension(author): Extension<Author>,
    Json(request): Json<RollbackRequest>,
) -> Response {
    let call = |reply| Request::Policies(PolicyCall::Rollback(request, author, reply));
    respond(&daemon, call).await
}

async fn isolate(
    State(daemon): Daemon,
    Extension(author): Extension<Author>,
    Json(request): Json<IsolateRequest>,
) -> Response {
    let call = |reply| Request::Isolation(IsolationCall::Isolate(request, author, reply));
    respond(&daemon, call).await
}

async fn release(
    State(daemon): Daemon,
    Extension(author): Extension<Author>,
    Json(request): Json<ReleaseRequest>,
) -> Response {
    let call = |reply| Request::Isolation(IsolationCall::Release(request, author, reply));
    respond(&daemon, call).await
}
