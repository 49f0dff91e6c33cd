//! Whether the API server answers, as its answers tell. A watch that nothing comes of looks the same
//! whether all is quiet or nobody is there, so this is noted where requests end.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use hyper::http::{Method, Request, Response, StatusCode};
use jiff::Timestamp;
use tokio::sync::watch;
use tower::{BoxError, Layer, Service};

use super::seen::{Outage, Seen};

/// Notes answers, and tells of outages.
#[derive(Clone)]
pub(super) struct Health {
    seen: Arc<watch::Sender<Seen>>,
    /// Paths whose last request failed, with why.
    failing: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Health {
    pub(super) fn new(seen: Arc<watch::Sender<Seen>>) -> Self {
        Self {
            seen,
            failing: Arc::default(),
        }
    }

    fn note(&self, path: &str, failure: Option<String>) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        match failure {
            Some(error) => failing.insert(path.to_owned(), error),
            None => failing.remove(path),
        };
        let error = failing.values().next();
        self.seen.send_if_modified(|seen| {
            let changed = seen.is_down != error.is_some();
            seen.is_down = error.is_some();
            if let (Some(error), true) = (error, changed) {
                seen.outages += 1;
                seen.outage = Some(Outage {
                    since: Timestamp::now(),
                    error: error.clone(),
                });
            }
            changed
        });
    }
}

/// See [`Health`].
pub(super) struct NotingLayer(pub(super) Health);

impl<S> Layer<S> for NotingLayer {
    type Service = Noting<S>;

    fn layer(&self, inner: S) -> Noting<S> {
        Noting {
            inner,
            health: self.0.clone(),
        }
    }
}

/// See [`Health`].
pub(super) struct Noting<S> {
    inner: S,
    health: Health,
}

impl<S, A, B> Service<Request<A>> for Noting<S>
where
    S: Service<Request<A>, Response = Response<B>, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        // What follows the cluster reads; a status that cannot be written is tried again.
        let reads = request.method() == Method::GET;
        let path = reads.then(|| request.uri().path().to_owned());
        let answer = self.inner.call(request);
        let health = self.health.clone();
        Box::pin(async move {
            let answer = answer.await;
            if let Some(path) = path {
                let failure = match &answer {
                    Ok(response) => refusal(response.status()),
                    Err(error) => Some(chain(error.as_ref())),
                };
                health.note(&path, failure.map(|it| format!("GET {path}: {it}")));
            }
            answer
        })
    }
}

/// An answer that gives nothing to go on with. 410 does: it says to begin anew.
fn refusal(status: StatusCode) -> Option<String> {
    let refused = matches!(
        status,
        StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::TOO_MANY_REQUESTS
    ) || status.is_server_error();
    refused.then(|| status.to_string())
}

/// An error and what it came of, without what is said twice.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
