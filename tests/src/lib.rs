//! What the tests stand on, and nothing that ships.
//!
//! * [`model`]: the naive reference that decides what is right.
//! * [`cases`]: the fixed table of flows on both sides of each clause.
//! * [`arb`]: strategies for policies, databases and flows.

pub mod arb;
pub mod cases;
pub mod model;
