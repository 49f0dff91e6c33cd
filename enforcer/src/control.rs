//! The local API: HTTP/1.1 with JSON over a unix socket, for root and the daemon's own user.
//!
//! | method and path | answer |
//! |---|---|
//! | `GET /v1/status` | [`Status`] |
//! | `POST /v1/reload` | [`Reloaded`] |

pub mod client;
mod messages;
pub mod server;

use std::path::PathBuf;

pub use messages::{
    Attached, Coverage, DatabaseStatus, DecisionStatus, Labelled, MapStatus, PolicyStatus,
    Reloaded, SinkHealth, Status, Workload,
};

/// Where the socket of an instance is.
#[must_use]
pub fn socket_path(instance: &str) -> PathBuf {
    PathBuf::from("/run/enforcer").join(format!("{instance}.sock"))
}
