//! Repeats: a flow that was allowed passes again without being judged, until the epoch ends.
//!
//! `connect` and `sendmsg` judge and leave a mark; the packets that follow find it. What is not
//! allowed leaves none, so each refusal is judged, counted and reported.

use enforcer_common::{
    abi::{CgroupId, Epoch, Hook},
    verdict::{Decision, Flow, Mark},
};

use crate::maps::{ALLOWED, ALLOWED_SLOTS, EPOCH};

/// The epoch. To be read before the flow is judged: if it ends meanwhile, the mark is of the one that
/// ended, and is not found again.
#[inline(always)]
pub fn epoch() -> Epoch {
    // Each decision is to be traced.
    if cfg!(feature = "trace") {
        return Epoch::NONE;
    }
    EPOCH.get(0).copied().unwrap_or(Epoch::NONE)
}

/// The mark of a flow. At a workload's interface it is another one than that of sockets, for the tag
/// that judges there is found another way.
#[inline(always)]
pub fn mark(flow: &Flow, epoch: Epoch) -> Option<Mark> {
    let subject = match flow.hook {
        Hook::Device => CgroupId(!flow.subject.0),
        Hook::Connect | Hook::Sendmsg | Hook::Egress => flow.subject,
    };
    Mark::of(&Flow { subject, ..*flow }, epoch)
}

/// Whether an equal flow was allowed in this epoch.
#[inline(always)]
pub fn was_allowed(mark: Option<Mark>) -> bool {
    let Some(mark) = mark else {
        return false;
    };
    match ALLOWED.get_ptr(mark.slot(ALLOWED_SLOTS)) {
        // SAFETY: an aligned word of a map value, read whole.
        Some(slot) => unsafe { slot.read_volatile() == mark.word() },
        None => false,
    }
}

/// Leaves the mark, if the decision holds for the epoch. Another flow's may have to go.
#[inline(always)]
pub fn remember(mark: impl FnOnce() -> Option<Mark>, decision: &Decision) {
    if !decision.holds_for_the_epoch() {
        return;
    }
    let Some(mark) = mark() else {
        return;
    };
    if let Some(slot) = ALLOWED.get_ptr_mut(mark.slot(ALLOWED_SLOTS)) {
        // SAFETY: an aligned word of a map value, written whole.
        unsafe { slot.write_volatile(mark.word()) };
    }
}
