//! The composition root: the only room, with the command line, that knows both lines.

#[cfg(feature = "kernel")]
mod confine;
pub mod context;
#[cfg(feature = "kernel")]
pub mod exec;
#[cfg(feature = "kernel")]
pub mod reporter;
