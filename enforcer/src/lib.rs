//! Host egress enforcer: keeps the connections of chosen workloads inside permitted jurisdictions.
//!
//! Data goes through the library one way, and the modules stand in its order:
//!
//! ```text
//! policies ┐
//!          ├─▶ policy ─▶ compile ─▶ image ─▶ kernel::publish ─▶ maps ┐
//! geo dbs ─┴─▶ geo ───────┘                     ▲                    │   enforcer-ebpf
//!                              workloads ───────┘ (tags)             │   hook ─▶ flow ─▶ decide ─▶ act
//! sinks ◀─ encode ◀─ aggregate ◀─ enrich ◀─ kernel::ring ◀───────────┘
//! ```
//!
//! The upper line never imports from the lower, nor the lower from the upper. They meet in
//! `enforcer-common` (bytes and decision), in [`daemon`] (the composition root) and in provenance
//! (rule id to file and line), which is plain data.

pub mod cli;
#[cfg(feature = "kernel")]
pub mod cluster;
pub mod compile;
pub mod control;
mod crypto;
pub mod daemon;
pub mod declared;
pub mod events;
pub mod geo;
#[cfg(feature = "kernel")]
pub mod kernel;
pub mod policy;
pub mod workloads;
