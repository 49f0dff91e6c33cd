//! The composition root: the only room, with the command line, that knows both lines.

#[cfg(feature = "kernel")]
mod confine;
pub mod context;
#[cfg(feature = "kernel")]
pub mod exec;
pub mod explain;
#[cfg(feature = "kernel")]
pub mod node;
#[cfg(feature = "kernel")]
mod pod_source;
#[cfg(feature = "kernel")]
pub mod reporter;
#[cfg(feature = "kernel")]
pub mod run;
#[cfg(feature = "kernel")]
pub mod settings;
#[cfg(feature = "kernel")]
pub mod status;
#[cfg(feature = "kernel")]
mod tracer;
