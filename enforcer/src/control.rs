//! The local API: HTTP/1.1 with JSON over a unix socket, for root and the daemon's own user.
//!
//! | method and path | message | answer |
//! |---|---|---|
//! | `GET /v1/status` | | [`Status`] |
//! | `POST /v1/reload` | | [`Reloaded`] |
//! | `GET /v1/flows` | | [`FlowList`] |
//! | `GET /v1/events` | | events as they happen, one JSON object a line, until the caller hangs up |
//! | `POST /v1/detach` | | [`Detached`], or 422 and a [`Problem`] |
//! | `GET /v1/policies` | | an array of [`PolicyEntry`] |
//! | `POST /v1/policies` | [`PushRequest`] | [`Pushed`], or 422 and a [`Problem`] |
//! | `GET /v1/policies/NAME` | | [`PolicyText`], or 422 and a [`Problem`] |
//! | `GET /v1/revisions` | | an array of [`Revision`] |
//! | `POST /v1/rollback` | [`RollbackRequest`] | [`Pushed`], or 422 and a [`Problem`] |
//! | `POST /v1/isolate` | [`IsolateRequest`] | [`Isolation`], or 422 and a [`Problem`] |
//! | `POST /v1/release` | [`ReleaseRequest`] | [`Isolation`], or 422 and a [`Problem`] |
//! | `POST /v1/explain` | [`ExplainRequest`] | an array of [`Explanation`], or 422 and a [`Problem`] |

#[cfg(feature = "kernel")]
pub mod client;
mod messages;
#[cfg(feature = "kernel")]
pub mod server;

use std::path::PathBuf;

pub use messages::{
    Attached, Author, Change, ClusterStatus, Coverage, DatabaseAnswer, DatabaseStatus,
    DecisionStatus, Detached, DeviceCoverage, DocumentChange, Effect, ExplainRequest, Explanation,
    FlowList, FlowRecord, IsolateRequest, Isolation, Labelled, MapStatus, PolicyEntry, PolicyFile,
    PolicyStatus, PolicyText, Problem, PushRequest, Pushed, ReleaseRequest, Reloaded, Revision,
    RollbackRequest, Side, SinkHealth, Status, TableStatus, Workload,
};

/// Where the socket of an instance is.
#[must_use]
pub fn socket_path(instance: &str) -> PathBuf {
    PathBuf::from("/run/enforcer").join(format!("{instance}.sock"))
}

/// The file that a daemon of an instance holds a lock on, and whoever does its work without one.
#[must_use]
pub fn lock_path(instance: &str) -> PathBuf {
    PathBuf::from("/run/enforcer").join(format!("{instance}.lock"))
}
