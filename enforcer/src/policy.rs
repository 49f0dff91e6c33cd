//! Policies: YAML files to a checked model.
//!
//! ```text
//! files ─▶ source (text, tree with places) ─▶ read (typed, reports) ─▶ check ─▶ model
//! ```

mod bundle;
mod cgroup;
mod check;
pub mod crd;
mod data_flow;
mod diagnostic;
mod document_name;
mod load;
mod minute;
mod model;
mod name;
mod place;
mod pods;
mod provider;
mod read;
mod region;
mod source;

pub use jiff::civil::Date;

pub use bundle::{Bundle, BundleFile, Contents, Document, DocumentId, Documents};
pub use data_flow::{DataCategory, DataFlow, FlowEndpoint, Origin, PodOrigin, Target};
pub use diagnostic::{Code, Color, Diagnostic, Diagnostics, Finding, Related, Severity};
pub use document_name::DocumentName;
pub use load::{
    Loaded, load, load_at, load_default, load_on, load_text, load_with, load_with_flows,
    load_with_flows_at,
};
pub use minute::Minute;
pub use model::{
    Action, Cidr, Dns, Mode, Peer, Policy, PolicyName, PortSpec, Position, Replies, Resolver, Rule,
    Selector,
};
pub use name::NamePattern;
pub use place::{Place, Sources};
pub use pods::{LabelCondition, LabelTest, PodSelector};
pub use provider::{Agreement, AgreementStatus, Endpoint, Provider, Providers};
pub use region::{Member, Region, Regions};

/// JSON Schema (draft 7) of every kind of document, as published in `policies/schema/`.
pub const SCHEMA: &str = include_str!("../../policies/schema/enforcer.json");
