//! All that a bench found, as it is written to `target/bench/result.json`.

use serde::{Deserialize, Serialize};

use crate::{
    events::EventRate, hooks::HookTime, machine::Machine, memory::Memory, node::NodeFigures,
    pairs::Comparison, rivals::Loading, start::ColdStart, swap::Swap,
};

/// One bench.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// `quick` or `full`.
    pub(crate) scale: String,
    pub(crate) machine: Machine,
    /// What the tables of enforcer and the lists of the others hold.
    pub(crate) world: World,
    /// One for each load and family.
    pub(crate) comparisons: Vec<Comparison>,
    /// Against the number of policies and networks.
    pub(crate) growth: Vec<Comparison>,
    pub(crate) hooks: Vec<HookTime>,
    pub(crate) loading: Vec<Loading>,
    pub(crate) start: ColdStart,
    pub(crate) node: NodeFigures,
    pub(crate) swap: Swap,
    pub(crate) memory: Memory,
    pub(crate) events: Vec<EventRate>,
    pub(crate) verifier: Vec<Verified>,
    /// What could not be measured here, and why.
    pub(crate) skipped: Vec<String>,
}

/// Sizes of the tables under test.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct World {
    pub(crate) database: String,
    /// Networks whose country is known, neighbours of one country as one.
    pub(crate) v4_networks: usize,
    pub(crate) v6_networks: usize,
    /// What enforcer's tables make of them.
    pub(crate) v4_ranges: usize,
    pub(crate) v6_ranges: usize,
    pub(crate) atoms: usize,
    pub(crate) image_bytes: usize,
}

/// What the verifier walked for a program.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Verified {
    pub(crate) program: String,
    /// `None` before kernel 5.16.
    pub(crate) instructions: Option<u32>,
}
