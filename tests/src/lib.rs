//! What the tests stand on, and nothing that ships.
//!
//! * [`model`]: the naive reference that decides what is right.
//! * [`cases`]: the fixed table of flows on both sides of each clause.
//! * [`arb`]: strategies for policies, databases and flows.
//! * [`dns`]: the reading of DNS answers, beside an implementation by others.
//! * [`lab`]: a machine and a world to test in, gone when the test is.
//! * [`parity`]: the decision as the kernel makes it, flow by flow.
//! * [`probe`]: the client that runs confined and tries to get out.

pub mod arb;
pub mod cases;
pub mod dns;
pub mod lab;
pub mod model;
pub mod parity;
pub mod probe;
