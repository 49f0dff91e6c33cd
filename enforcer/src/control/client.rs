//! The command line's side.

use std::{ops::ControlFlow, path::Path};

use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header,
};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{net::UnixStream, task::JoinHandle};

use super::Problem;

/// What can go wrong with a call.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody listens.
    #[error("no daemon listens at {path}: start `enforcer run`")]
    NoDaemon {
        /// The socket.
        path: std::path::PathBuf,
    },
    /// Not permitted.
    #[error("{path} is for root and the daemon's user: run it with sudo")]
    NotPermitted {
        /// The socket.
        path: std::path::PathBuf,
    },
    /// The connection failed.
    #[error("talk to the daemon")]
    Transport(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The daemon ended, or was killed, while it was listened to.
    #[error("the daemon ended; what it enforces goes on")]
    Ended(#[source] hyper::Error),
    /// The daemon refused.
    #[error("the daemon answered {0}")]
    Refused(StatusCode),
    /// The daemon refused and said why.
    #[error("{0}")]
    Problem(String),
}

/// Asks the daemon at `socket`.
///
/// # Errors
/// Nobody answers, or not as expected.
pub fn call<T: DeserializeOwned>(
    socket: &Path,
    method: &Method,
    path: &str,
) -> Result<T, CallError> {
    block_on(exchange(socket, method, path, Bytes::new()))
}

/// Sends a message to the daemon at `socket` and takes its answer.
///
/// # Errors
/// Nobody answers, or not as expected.
pub fn send<T: DeserializeOwned>(
    socket: &Path,
    path: &str,
    message: &impl Serialize,
) -> Result<T, CallError> {
    let body = serde_json::to_vec(message).map_err(transport)?;
    block_on(exchange(socket, &Method::POST, path, body.into()))
}

/// Reads lines that the daemon at `socket` writes as they come, until it ends or `take` breaks.
///
/// # Errors
/// Nobody answers, or not as expected.
pub fn follow(
    socket: &Path,
    path: &str,
    take: impl FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<(), CallError> {
    block_on(lines(socket, path, take))
}

async fn lines(
    socket: &Path,
    path: &str,
    mut take: impl FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<(), CallError> {
    let (response, _connection) = ask(socket, &Method::GET, path, Bytes::new()).await?;
    if !response.status().is_success() {
        return Err(CallError::Refused(response.status()));
    }
    let mut body = response.into_body();
    let mut begun: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(CallError::Ended)?.into_data() else {
            continue;
        };
        begun.extend_from_slice(&data);
        while let Some(end) = memchr::memchr(b'\n', &begun) {
            let line: Vec<u8> = begun.drain(..=end).collect();
            if take(&line[..end]).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn block_on<T>(exchange: impl Future<Output = Result<T, CallError>>) -> Result<T, CallError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.map_err(transport)?.block_on(exchange)
}

async fn exchange<T: DeserializeOwned>(
    socket: &Path,
    method: &Method,
    path: &str,
    body: Bytes,
) -> Result<T, CallError> {
    let (response, connection) = ask(socket, method, path, body).await?;
    let status = response.status();
    let body = response
        .into_body()
        .collect()
        .await
        .map_err(transport)?
        .to_bytes();
    connection.await.map_err(transport)?.map_err(transport)?;
    if !status.is_success() {
        return Err(match serde_json::from_slice(&body) {
            Ok(Problem { error, .. }) => CallError::Problem(error),
            Err(_) => CallError::Refused(status),
        });
    }
    serde_json::from_slice(&body).map_err(transport)
}

/// Sends a request; its connection lives in a task until the answer is read.
async fn ask(
    socket: &Path,
    method: &Method,
    path: &str,
    body: Bytes,
) -> Result<(Response<Incoming>, JoinHandle<hyper::Result<()>>), CallError> {
    let stream = UnixStream::connect(socket).await.map_err(|error| {
        let path = socket.into();
        if error.kind() == std::io::ErrorKind::PermissionDenied {
            CallError::NotPermitted { path }
        } else {
            CallError::NoDaemon { path }
        }
    })?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(transport)?;
    let connection = tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "enforcer")
        .header(header::CONTENT_TYPE, "application/json");
    let request = request.body(Full::new(body)).map_err(transport)?;
    let response = sender.send_request(request).await.map_err(transport)?;
    Ok((response, connection))
}

fn transport(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> CallError {
    CallError::Transport(error.into())
}
