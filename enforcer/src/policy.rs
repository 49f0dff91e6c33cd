//! Policies: YAML files to a checked model.
//!
//! ```text
//! files ─▶ source (text, tree with places) ─▶ read (typed, reports) ─▶ check ─▶ model
//! ```

mod cgroup;
mod check;
mod data_flow;
mod diagnostic;
mod load;
mod model;
mod place;
mod read;
mod region;
mod source;

pub use jiff::civil::Date;

pub use data_flow::{DataCategory, DataFlow, Endpoint, Origin, PodOrigin, Target};
pub use diagnostic::{Code, Color, Diagnostic, Diagnostics, Finding, Related, Severity};
pub use load::{Loaded, load, load_default, load_on, load_with_flows, load_with_flows_on};
pub use model::{
    Action, Cidr, Mode, Peer, Policy, PolicyName, PortSpec, Position, Replies, Rule, Selector,
};
pub use place::{Place, Sources};
pub use region::{Member, Region, Regions};

/// JSON Schema (draft 7) of every kind of document, as published in `policies/schema/`.
pub const SCHEMA: &str = include_str!("../../policies/schema/enforcer.json");
