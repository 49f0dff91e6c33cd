//! Documents to policies and regions. Reports everything that is wrong.

mod cidr;
mod country;
mod document;
mod egress_policy;
mod lint;
mod peer;
mod port;
mod region;
mod rule;
mod selector;
mod tag;

pub(super) use document::{Document, Kind, document};
pub(super) use egress_policy::egress_policy;
pub(super) use region::region;
