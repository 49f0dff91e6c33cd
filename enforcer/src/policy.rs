//! Policies: YAML files to a checked model.
//!
//! ```text
//! files ─▶ source (text, tree with places) ─▶ read (typed, reports) ─▶ check ─▶ model
//! ```

mod bundle;
mod cgroup;
mod check;
mod diagnostic;
mod load;
mod model;
mod read;
mod region;
mod source;

pub use jiff::civil::Date;

pub use bundle::{Bundle, BundleFile, Document, DocumentId};
pub use diagnostic::{Code, Color, Diagnostic, Diagnostics, Finding, Severity};
pub use load::{Loaded, load, load_default, load_on, load_with};
pub use model::{
    Action, Cidr, Mode, Peer, Policy, PolicyName, PortSpec, Position, Replies, Rule, Selector,
};
pub use region::{Member, Region, Regions};
