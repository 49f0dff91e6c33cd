//! Policies: YAML files to a checked model.
//!
//! ```text
//! files ─▶ source (text, tree with places) ─▶ read (typed, reports) ─▶ check ─▶ model
//! ```

mod cgroup;
mod check;
mod diagnostic;
mod load;
mod model;
mod pods;
mod read;
mod region;
mod source;

pub use jiff::civil::Date;

pub use diagnostic::{Code, Color, Diagnostic, Diagnostics, Finding, Severity};
pub use load::{Loaded, load, load_default, load_on};
pub use model::{
    Action, Cidr, Mode, Peer, Policy, PolicyName, PortSpec, Position, Replies, Rule, Selector,
};
pub use pods::{LabelCondition, LabelTest, PodSelector};
pub use region::{Member, Region, Regions};
