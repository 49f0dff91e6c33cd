//! Documents to policies, regions, providers and declared flows. Reports everything that is wrong.

mod cidr;
mod country;
mod data_flow;
mod date;
mod dns;
mod document;
mod egress_policy;
mod endpoint;
mod host;
mod lint;
mod origin;
mod peer;
mod pods;
mod port;
mod provider;
mod region;
mod rule;
mod selector;
mod tag;

pub(super) use data_flow::data_flow;
pub use document::API_VERSION;
pub(super) use document::{Document, Kind, document};
pub(super) use egress_policy::egress_policy;
pub(super) use provider::provider;
pub(super) use region::region;
