//! Which verdicts hold until something changes, and the mark of a flow that has one.

use super::{
    decision::{Decision, Reason, Verdict},
    flow::Flow,
};
use crate::{abi::Epoch, sip::Sip};

/// Mark of an allowed flow: what it may look at and the epoch it was judged in, hashed.
///
/// Sixty-four bits are compared instead of five words, so that a table of marks is read and written
/// whole by one instruction each, without a lock. The key is the epoch, 128 secret bits: nobody
/// can look for two flows with one mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(u64);

impl Mark {
    /// `None` while nothing may be remembered.
    #[inline(always)]
    #[must_use]
    pub fn of(flow: &Flow, epoch: Epoch) -> Option<Self> {
        if epoch == Epoch::NONE {
            return None;
        }
        let (hi, lo) = flow.dst.halves();
        let mut sip = Sip::new(epoch.0, 0);
        sip.absorb(flow.subject.0);
        sip.absorb(hi);
        sip.absorb(lo);
        sip.absorb(u64::from(flow.proto.0) << 32 | u64::from(flow.ports.word()));
        Some(Self(sip.finish()))
    }

    /// The word of the table.
    #[inline(always)]
    #[must_use]
    pub const fn word(self) -> u64 {
        self.0
    }

    /// Its place in a table of `slots`, a power of two.
    #[inline(always)]
    #[must_use]
    pub const fn slot(self, slots: u32) -> u32 {
        self.0 as u32 & (slots - 1)
    }
}

impl Decision {
    /// Whether every equal flow gets the same decision until the epoch ends, and nothing need be
    /// said of it: allowed, by what only tags and image say.
    #[inline(always)]
    #[must_use]
    pub fn holds_for_the_epoch(&self) -> bool {
        let by_tables = matches!(
            self.reason,
            Reason::Rule | Reason::Released | Reason::Untagged
        );
        by_tables && self.verdict == Verdict::Allow && !self.would_deny && !self.by_name
    }
}
