//! Policies: YAML files to a checked model.
//!
//! ```text
//! files ─▶ source (text, tree with places) ─▶ read (typed, reports) ─▶ check ─▶ model
//! ```

mod cgroup;
mod check;
mod diagnostic;
mod load;
mod minute;
mod model;
mod name;
mod provider;
mod read;
mod region;
mod source;

pub use jiff::civil::Date;

pub use diagnostic::{Code, Color, Diagnostic, Diagnostics, Finding, Severity};
pub use load::{Loaded, load, load_at, load_default, load_on};
pub use minute::Minute;
pub use model::{
    Action, Cidr, Dns, Mode, Peer, Policy, PolicyName, PortSpec, Position, Replies, Resolver, Rule,
    Selector,
};
pub use name::NamePattern;
pub use provider::{Agreement, AgreementStatus, Endpoint, Provider, Providers};
pub use region::{Member, Region, Regions};
