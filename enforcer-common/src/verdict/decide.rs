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
//! 4. **Isolation.** Until its deadline an isolated workload is refused everything but loopback.
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
//! 7. **Replies.** A flow that would be refused passes if it answers what the other side opened (a
//!    TCP connection the workload accepted, a UDP packet of the last 30 seconds), unless one of its
//!    policies says `replies: judge`.
//! 8. **Faults.** If any table needed on the way is missing or unreadable, a tagged workload is
//!    refused, under a reason of its own that is counted. An untagged one was already let go in 1.

use super::{
    decision::{Decision, Fault, Reason, Verdict},
    flow::Flow,
    locate::locate,
    search::last_double_at_most,
    tables::Tables,
};
use crate::abi::{
    Addr, ClassEntry, ClassId, EmbeddedV4, Family, ImageHeader, MatrixEntry, Nat64Prefix, Outcome,
    Page, Segment, Stance, Tag,
};

/// Decides one flow. See the text above.
#[inline(always)]
#[must_use]
pub fn decide<T: Tables>(tables: &T, flow: &Flow) -> Decision {
    let Some(tag) = tables.tag(flow) else {
        return Decision::because(Verdict::Allow, Reason::Untagged);
    };
    let Some(stance) = tag.stance() else {
        return Decision::fault(Fault::BadTag);
    };
    if flow.dst.is_loopback() {
        return Decision::because(Verdict::Allow, Reason::Loopback);
    }
    match stance {
        Stance::Release => Decision::because(Verdict::Allow, Reason::Released),
        Stance::UnknownHold => Decision::because(Verdict::Hold, Reason::Unknown),
        Stance::UnknownDeny => Decision::because(Verdict::Deny, Reason::Unknown),
        Stance::UnknownAllow => Decision::because(Verdict::Allow, Reason::Unknown),
        Stance::Judge => judge(tables, &tag, flow),
    }
}

#[inline(always)]
fn judge<T: Tables>(tables: &T, tag: &Tag, flow: &Flow) -> Decision {
    if tag.isolated_until != 0 && tables.now_ns() < tag.isolated_until {
        return Decision::because(Verdict::Deny, Reason::Isolated);
    }
    let Some(header) = tables.page(0) else {
        return Decision::fault(Fault::NoImage);
    };
    if u32::from(tag.class.0) >= header.word(ImageHeader::CLASSES) {
        return Decision::fault(Fault::NoClass);
    }
    let class = ClassEntry::unpack(header.word(ClassEntry::place(tag.class)));
    if !class.present {
        return Decision::fault(Fault::NoClass);
    }
    let (first, second) = destinations(header, flow.dst);
    let mut decision = judge_address(tables, header, tag.class, first, flow);
    if let Some(second) = second
        && decision.verdict == Verdict::Allow
    {
        let other = judge_address(tables, header, tag.class, second, flow);
        if other.verdict == Verdict::Deny || other.would_deny {
            decision = other;
        }
    }
    if decision.verdict == Verdict::Deny
        && decision.reason == Reason::Rule
        && !class.judge_replies
        && tables.is_reply(flow)
    {
        decision.verdict = Verdict::Allow;
        decision.reason = Reason::Reply;
    }
    decision
}

/// The address that the packet ends at, and a second one where it may end at either.
#[inline(always)]
fn destinations(header: &Page, dst: Addr) -> (Family, Option<Family>) {
    let (hi, lo) = match dst.family() {
        Family::V4(_) => return (dst.family(), None),
        Family::V6(hi, lo) => (hi, lo),
    };
    let own_nat64 = header.word(ImageHeader::NAT64_COUNT);
    for slot in 0..ImageHeader::NAT64_SLOTS {
        if u32::from(slot) >= own_nat64 {
            break;
        }
        if let Some(v4) = nat64_prefix(header, slot).unwrap(hi, lo) {
            return (Family::V4(v4), None);
        }
    }
    match Addr::embedded(hi, lo) {
        EmbeddedV4::None => (Family::V6(hi, lo), None),
        EmbeddedV4::Only(v4) => (Family::V4(v4), None),
        EmbeddedV4::Also(v4) => (Family::V4(v4), Some(Family::V6(hi, lo))),
    }
}

#[inline(always)]
fn nat64_prefix(header: &Page, slot: u16) -> Nat64Prefix {
    let word = ImageHeader::NAT64 + slot * 6;
    Nat64Prefix {
        hi: header.double(word / 2),
        lo: header.double(word / 2 + 1),
        len: header.word(word + 4),
        reserved: 0,
    }
}

#[inline(always)]
fn judge_address<T: Tables>(
    tables: &T,
    header: &Page,
    class: ClassId,
    address: Family,
    flow: &Flow,
) -> Decision {
    let atom = match locate(tables, header, address) {
        Ok(atom) => atom,
        Err(fault) => return Decision::fault(fault),
    };
    let atoms = header.word(ImageHeader::ATOMS);
    let cell = u32::from(class.0)
        .wrapping_mul(atoms)
        .wrapping_add(u32::from(atom.0));
    let number = header.word(ImageHeader::MATRIX).wrapping_add(cell >> 16);
    let Some(matrix) = tables.page(number) else {
        return Decision::fault(Fault::NoPage);
    };
    match MatrixEntry::unpack(matrix.word(cell as u16)) {
        MatrixEntry::Outcome(outcome) => Decision::ruled(outcome),
        MatrixEntry::List {
            page,
            offset,
            steps,
        } => {
            let Some(page) = tables.page(u32::from(page)) else {
                return Decision::fault(Fault::NoPage);
            };
            let key = u64::from(Segment::key(flow.proto, flow.ports));
            let at = last_double_at_most(page, offset, steps, key << 32 | 0xffff_ffff);
            match Outcome::unpack(page.double(at) as u32) {
                Some(outcome) => Decision::ruled(outcome),
                None => Decision::fault(Fault::BadList),
            }
        }
    }
}
