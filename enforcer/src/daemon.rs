//! The composition root: the only room, with the command line, that knows both lines.

#[cfg(feature = "kernel")]
mod confine;
pub mod context;
#[cfg(feature = "kernel")]
pub mod exec;
pub mod explain;
#[cfg(feature = "kernel")]
pub mod flows;
#[cfg(feature = "kernel")]
mod ledger;
#[cfg(feature = "kernel")]
mod live;
#[cfg(feature = "kernel")]
pub mod metrics;
#[cfg(feature = "kernel")]
pub mod node;
#[cfg(feature = "kernel")]
pub mod reporter;
#[cfg(feature = "kernel")]
pub mod run;
#[cfg(feature = "kernel")]
pub mod settings;
pub mod simulate;
#[cfg(feature = "kernel")]
pub mod status;
#[cfg(feature = "kernel")]
mod tracer;
