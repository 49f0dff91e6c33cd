//! The composition root: the only room, with the command line, that knows both lines.

pub mod agreement;
#[cfg(feature = "kernel")]
pub mod alone;
#[cfg(feature = "kernel")]
mod bell;
#[cfg(feature = "kernel")]
pub mod cluster_set;
#[cfg(feature = "kernel")]
mod cluster_source;
#[cfg(feature = "kernel")]
mod confine;
pub mod context;
#[cfg(feature = "kernel")]
mod exceptions;
#[cfg(feature = "kernel")]
pub mod exec;
pub mod explain;
#[cfg(feature = "kernel")]
pub mod flows;
#[cfg(feature = "kernel")]
mod interfaces;
#[cfg(feature = "kernel")]
pub mod isolations;
#[cfg(feature = "kernel")]
mod ledger;
#[cfg(feature = "kernel")]
mod live;
#[cfg(feature = "kernel")]
pub mod metrics;
#[cfg(feature = "kernel")]
pub mod node;
#[cfg(feature = "kernel")]
mod pod_source;
#[cfg(feature = "kernel")]
mod renewal;
#[cfg(feature = "kernel")]
pub mod reporter;
mod resolvers;
#[cfg(feature = "kernel")]
pub mod revisions;
#[cfg(feature = "kernel")]
pub mod run;
#[cfg(feature = "kernel")]
mod seed;
#[cfg(feature = "kernel")]
pub mod settings;
pub mod simulate;
#[cfg(feature = "kernel")]
mod state_file;
#[cfg(feature = "kernel")]
pub mod status;
#[cfg(feature = "kernel")]
mod tracer;
#[cfg(feature = "kernel")]
mod trial;

pub use resolvers::node_resolvers;
