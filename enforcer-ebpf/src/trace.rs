//! Traces of decisions, for debugging. Only the traced object has them.

use aya_log_ebpf::info;
use enforcer_common::verdict::{Decision, Flow, Trace};

/// Logs one decision.
#[inline(always)]
pub fn log(flow: &Flow, decision: &Decision) {
    let trace = Trace {
        flow: *flow,
        decision: *decision,
    };
    let [subject, hi, lo, what, slot] = trace.words();
    log_words(subject, hi, lo, what, slot);
}

/// Out of line: the verifier walks a global function once, whatever calls it, and logging takes a
/// stack of its own. What the words mean is said in userspace, for text of changing length would
/// cost the verifier a walk for each length.
///
/// Always returns 0: a global function must return a number.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn log_words(subject: u64, hi: u64, lo: u64, what: u64, slot: u64) -> u64 {
    info!((), "{} {} {} {} {}", subject, hi, lo, what, slot);
    0
}
