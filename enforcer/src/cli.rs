//! The command line: one file per verb.

pub mod geo;
pub mod policy;
