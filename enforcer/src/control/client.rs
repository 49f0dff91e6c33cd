//! The command line's side.

use std::path::Path;

use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, StatusCode, body::Bytes, header};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use tokio::net::UnixStream;

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
    let status = response.status();
    let body = response
        .into_body()
        .collect()
        .await
        .map_err(transport)?
        .to_bytes();
    drop(sender);
    connection.await.map_err(transport)?.map_err(transport)?;
    if !status.is_success() {
        return Err(match serde_json::from_slice(&body) {
            Ok(Problem { error, .. }) => CallError::Problem(error),
            Err(_) => CallError::Refused(status),
        });
    }
    serde_json::from_slice(&body).map_err(transport)
}

fn transport(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> CallError {
    CallError::Transport(error.into())
}
