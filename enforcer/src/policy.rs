//! Policies: YAML files to a checked model.

mod model;

pub use model::{
    Action, Cidr, Mode, Peer, Policy, PolicyName, PortSpec, Position, Replies, Rule, Selector,
};
