//! The local API: HTTP/1.1 with JSON over a unix socket, for root and the daemon's own user.
//!
//! | method and path | message | answer |
//! |---|---|---|
//! | `GET /v1/status` | | [`Status`] |
//! | `POST /v1/reload` | | [`Reloaded`] |
//! | `POST /v1/explain` | [`ExplainRequest`] | an array of [`Explanation`], or 422 and a [`Problem`] |

#[cfg(feature = "kernel")]
pub mod client;
mod messages;
#[cfg(feature = "kernel")]
pub mod server;

use std::path::PathBuf;

pub use messages::{
    Attached, Coverage, DatabaseAnswer, DatabaseStatus, DecisionStatus, DeviceCoverage,
    ExplainRequest, Explanation, Labelled, MapStatus, PolicyStatus, Problem, Reloaded, SinkHealth,
    Status, Workload,
};

/// Where the socket of an instance is.
#[must_use]
pub fn socket_path(instance: &str) -> PathBuf {
    PathBuf::from("/run/enforcer").join(format!("{instance}.sock"))
}
