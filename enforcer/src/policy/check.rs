//! Documents to policies, regions and providers. Reports everything that is wrong.

mod cidr;
mod country;
mod date;
mod dns;
mod document;
mod egress_policy;
mod host;
mod lint;
mod peer;
mod port;
mod provider;
mod region;
mod rule;
mod selector;

pub(super) use document::{Document, Kind, document};
pub(super) use egress_policy::egress_policy;
pub(super) use provider::provider;
pub(super) use region::region;
