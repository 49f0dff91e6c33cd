//! Documents to policies and regions. Reports everything that is wrong.

mod cidr;
mod country;
mod document;
mod egress_policy;
mod lint;
mod peer;
mod pods;
mod port;
mod region;
mod rule;
mod selector;

pub(super) use document::{Document, Kind, document};
pub(super) use egress_policy::egress_policy;
pub(super) use region::region;
