//! The decision: [`decide`] over [`Tables`].

mod decide;
mod decision;
mod flow;
mod judge;
mod locate;
mod names;
mod repeat;
mod search;
mod tables;
mod trace;

pub use decide::decide;
pub use decision::{Decision, Fault, Reason, Verdict};
pub use flow::Flow;
pub use judge::{Judgement, judge};
pub use locate::locate;
pub use names::{
    Names, has_names, is_resolver, name_mask, name_seed, name_set, name_set_of, set_mask, walk,
};
pub use repeat::Mark;
pub use tables::{Pages, Tables};
pub use trace::Trace;
