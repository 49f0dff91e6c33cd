use std::sync::Arc;

use jiff::Timestamp;

use super::Facts;

/// A workload that goes on trying what a policy refuses.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Tells it from other findings of the run. One that goes on keeps its number.
    pub number: u64,
    /// Whether it was told before, and goes on.
    pub again: bool,
    /// When the first of its windows began.
    pub since: Timestamp,
    /// How many refusals there were from `start` to `end`.
    pub count: u64,
    /// When the window began: not after the first of them.
    pub start: Timestamp,
    /// The last of them.
    pub end: Timestamp,
    /// The number (`event.sequence`) of the record of the last of them.
    pub evidence: u64,
    /// What that record says of the flow.
    pub facts: Arc<Facts>,
}
