//! # How a flow is decided
//!
//! Read this as the specification; the code below follows it line by line.
//!
//! 1. **Whose flow is it?** The workload is the cgroup of the socket, or the nearest ancestor of
//!    that cgroup that carries a tag. No tag anywhere: the flow is none of our business and passes
//!    untouched. A tag may also say that no policy selects the cgroup: it passes.
//! 2. **Loopback always passes**: 127.0.0.0/8 and ::1 cannot leave the host. Nothing else is
//!    implied: DNS, metadata services and private networks need a rule like everything else.
//! 3. **Unknown workloads.** A cgroup below a managed root that has no tag of its own yet is treated
//!    as that root says: its packets wait (hold), are refused (deny) or pass (allow).
//! 4. **Isolation** comes before 3 and what follows. Until its deadline an isolated workload is refused
//!    everything but loopback, replies included. It may have exceptions: then its tag names a second
//!    class, of its own policies and one more that allows the exceptions alone, and only what all of
//!    them allow passes. After the deadline the tag is read as if nothing had been.
//! 5. **Where does it go?** An IPv4 address inside an IPv6 address (v4-mapped, NAT64, 6to4, Teredo,
//!    ISATAP) is judged as that IPv4 address. Only an ISATAP address on a routable prefix is judged
//!    twice, as itself and as the IPv4 address, and both must pass. Every address belongs to one
//!    *atom*: a set of addresses that no loaded policy can tell apart.
//! 6. **What do the policies say?** The workload's class and the atom name one decision list, with a
//!    section for each policy that selects the workload:
//!    * In a section the **first** rule whose protocol and port match decides; the policy's
//!      `default` is the last entry and always matches.
//!    * **Every** policy must allow: the first section of an enforcing policy that denies ends it.
//!    * A policy in `audit` mode never denies. When it would have, the flow passes, and the decision
//!      says so and names the rule.
//!    * A packet that does not carry its port (a later fragment) matches a rule that denies a port
//!      and not one that allows a port: what cannot be told is not an allow.
//!
//!    The list was flattened by the compiler into runs of protocols and ports, each with its outcome,
//!    so here it is one search.
//!    * A rule on names matches if **any** name of the address does. Which names an address has is
//!      what the policies' resolvers answered to the workload's own questions, and it is asked only
//!      where the outcome depends on it. The compiler made a chain of tests then.
//! 7. **Replies.** A flow that would be refused passes if it answers what the other side opened (a
//!    TCP connection the workload accepted, a UDP packet of the last 30 seconds), unless one of its
//!    policies says `replies: judge`.
//! 8. **Faults.** If any table needed on the way is missing or unreadable, a tagged workload is
//!    refused, under a reason of its own that is counted. An untagged one was already let go in 1.

use super::{
    decision::{Decision, Fault, Reason, Verdict},
    flow::Flow,
    names::Names,
    tables::Tables,
};
use crate::abi::{ClassId, Segment, Stance};

/// Decides one flow. See the text above.
#[inline(always)]
#[must_use]
pub fn decide<T: Tables>(tables: &T, flow: &Flow) -> Decision {
    #[cfg(feature = "slow-decision")]
    waste();
    let Some(tag) = tables.tag(flow) else {
        return Decision::because(Verdict::Allow, Reason::Untagged);
    };
    let Some(stance) = tag.stance() else {
        return Decision::fault(Fault::BadTag);
    };
    if flow.dst.is_loopback() {
        return Decision::because(Verdict::Allow, Reason::Loopback);
    }
    let isolated = tag.isolated_until != 0 && tables.now_ns() < tag.isolated_until;
    let class = if isolated {
        match tag.exceptions() {
            Some(class) => class,
            None => return Decision::because(Verdict::Deny, Reason::Isolated),
        }
    } else {
        match stance {
            Stance::Release => return Decision::because(Verdict::Allow, Reason::Released),
            Stance::UnknownHold => return Decision::because(Verdict::Hold, Reason::Unknown),
            Stance::UnknownDeny => return Decision::because(Verdict::Deny, Reason::Unknown),
            Stance::UnknownAllow => return Decision::because(Verdict::Allow, Reason::Unknown),
            Stance::Judge => tag.class,
        }
    };
    let decision = decide_by_policy(tables, class, flow);
    // The second class judges replies, so this is every refusal but a fault.
    if isolated && decision.verdict == Verdict::Deny && matches!(decision.reason, Reason::Rule) {
        return Decision::because(Verdict::Deny, Reason::Isolated);
    }
    decision
}

#[inline(always)]
fn decide_by_policy<T: Tables>(tables: &T, class: ClassId, flow: &Flow) -> Decision {
    let key = Segment::key(flow.proto, flow.ports);
    let mut judgement = tables.judge(class, flow.dst, key, Names::UNASKED);
    let by_name = judgement.lacks_names();
    // Twice, for the image may change once between the names and their use.
    for _ in 0..2 {
        if !judgement.lacks_names() {
            break;
        }
        let names = tables.names(flow, class);
        judgement = tables.judge(class, flow.dst, key, names);
    }
    let outcome = match judgement.outcome() {
        Ok(outcome) => outcome,
        Err(fault) => return Decision::fault(fault),
    };
    let mut decision = Decision::ruled(outcome, class, judgement.generation());
    decision.by_name = by_name;
    if outcome.deny && !judgement.judge_replies() && tables.is_reply(flow) {
        decision.verdict = Verdict::Allow;
        decision.reason = Reason::Reply;
    }
    decision
}

/// What a careless change costs: a look at a few dozen words.
#[cfg(feature = "slow-decision")]
#[inline(always)]
fn waste() {
    for word in 0..64u32 {
        core::hint::black_box(word);
    }
}
