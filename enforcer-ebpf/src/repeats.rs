//! Repeats: a flow that was allowed passes again without being judged, until the epoch ends.
//!
//! `connect` and `sendmsg` judge and leave a mark; the packets that follow find it. What is not
//! allowed leaves none, so each refusal is judged, counted and reported.

use enforcer_common::{
    abi::CgroupId,
    verdict::{Decision, Flow, Mark},
};

use crate::maps::{ALLOWED, ALLOWED_SLOTS, EPOCH};

/// The mark of a flow. To be made before the flow is judged: if the epoch ends meanwhile, the mark is
/// of the one that ended, and is not found again.
#[inline(always)]
pub fn mark(flow: &Flow) -> Option<Mark> {
    // Each decision is to be traced.
    if cfg!(feature = "trace") {
        return None;
    }
    // An epoch that ends while it is read is half of either; no other reader has just these halves.
    Mark::of(flow, EPOCH.get(0)?)
}

/// The same at a workload's interface, where it is another one than that of sockets: the tag that
/// judges there is found another way. Out of line, for that program is short of stack.
#[inline(never)]
pub fn device_mark(flow: &Flow) -> Option<Mark> {
    mark(&Flow {
        subject: CgroupId(!flow.subject.0),
        ..*flow
    })
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
pub fn remember(mark: Option<Mark>, decision: &Decision) {
    let Some(mark) = mark else {
        return;
    };
    if !decision.holds_for_the_epoch() {
        return;
    }
    if let Some(slot) = ALLOWED.get_ptr_mut(mark.slot(ALLOWED_SLOTS)) {
        // SAFETY: an aligned word of a map value, written whole.
        unsafe { slot.write_volatile(mark.word()) };
    }
}
