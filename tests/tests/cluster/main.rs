//! Policies and pods by the API of a cluster.

mod follow;
mod lab;
mod namespaces;
mod push;
