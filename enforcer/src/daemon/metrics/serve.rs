//! `GET /metrics` on a TCP address.

use std::net::SocketAddr;

use anyhow::Context as _;
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};

use super::text;
use crate::control::server::Request;

/// Answers whoever can reach the address, and only with numbers.
pub(in crate::daemon) struct MetricsServer {
    listener: TcpListener,
    requests: mpsc::Sender<Request>,
}

impl MetricsServer {
    /// Listens.
    ///
    /// # Errors
    /// The address is taken or not of this machine.
    pub(in crate::daemon) async fn bind(
        address: SocketAddr,
        requests: mpsc::Sender<Request>,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("serve metrics on {address}"))?;
        Ok(Self { listener, requests })
    }

    /// Where it listens.
    pub(in crate::daemon) fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves each caller in a task of its own. Never returns.
    pub(in crate::daemon) async fn serve(&self) {
        let routes = Router::new()
            .route("/metrics", get(metrics))
            .with_state(self.requests.clone());
        loop {
            // A failed accept is the caller's trouble (it hung up) or passes (no descriptors).
            if let Ok((stream, _)) = self.listener.accept().await {
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

async fn metrics(State(daemon): State<mpsc::Sender<Request>>) -> Response {
    let (reply, answer) = oneshot::channel();
    if daemon.send(Request::Status(reply)).await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let Ok(status) = answer.await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    match text(&status) {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
