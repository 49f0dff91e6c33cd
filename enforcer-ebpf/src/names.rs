//! What holds of the names of a destination.
//!
//! A connected socket keeps the names under which its first packet passed, so it goes on when the
//! entry of its address is over. Everything else goes by the entry.

use aya_ebpf::bindings::bpf_sock;
use enforcer_common::{
    abi::{ClassId, HELD_NAMES, Holder, Hook, Resolved},
    names::NameKey,
    verdict::{Flow, name_set_of},
};

use crate::{
    flow::Context,
    maps::{PEERS, Peer, RESOLVED},
    tables::{generation, name_set, now_ns, set_mask, workload},
};

/// The names could not be looked up: not a mask, for 64 conditions never hold together.
pub const UNREADABLE: u64 = u64::MAX;

/// How often an entry is told that it is in use.
const TELL_NS: u64 = 10_000_000_000;

/// What holds of the flow's destination, or [`UNREADABLE`].
#[inline(never)]
pub fn of<C: Context>(ctx: &C, flow: &Flow, class: ClassId) -> u64 {
    let sent = flow.hook == Hook::Egress;
    if sent {
        let mask = of_peer(ctx, flow, class);
        if mask != 0 {
            return mask;
        }
    }
    let Some((workload, _)) = workload(ctx, flow.subject) else {
        return 0;
    };
    let holder = Holder {
        workload,
        addr: flow.dst,
    };
    let Some(entry) = RESOLVED.get_ptr_mut(&holder) else {
        return 0;
    };
    let now = now_ns();
    let mut mask = 0;
    // SAFETY: the entry is a map value.
    unsafe {
        for slot in 0..HELD_NAMES {
            if (*entry).holds(slot, now) {
                mask |= mask_of(class, &(*entry).names[slot].key);
            }
        }
        if sent && mask != 0 && mask != UNREADABLE {
            keep_peer(ctx, flow, entry, now);
        }
        // The kernel may give the memory of a replaced entry to another one at once. What comes first
        // is overwritten first.
        let still = (&raw const (*entry).holder).read_volatile() == holder;
        if !still {
            return UNREADABLE;
        }
        if sent && mask != 0 {
            (*entry).used_ns = now;
        }
    }
    mask
}

/// What a name means to a class, or [`UNREADABLE`].
#[inline(always)]
pub fn mask_of(class: ClassId, key: &NameKey) -> u64 {
    match name_set_of(key, name_set) {
        Ok(set) => set_mask(class, set),
        Err(_) => UNREADABLE,
    }
}

/// The names of a connected socket, if they are those of the flow.
#[inline(always)]
fn peer_of<C: Context>(ctx: &C, flow: &Flow) -> Option<(*mut bpf_sock, *mut Peer)> {
    let socket = ctx.socket();
    if socket.is_null() || !flow.proto.has_ports() {
        return None;
    }
    // SAFETY: the socket is the context's; the verifier checks every read of it.
    unsafe {
        if (*socket).dst_port == 0 {
            return None;
        }
        Some((socket, PEERS.of(socket)))
    }
}

#[inline(always)]
fn of_peer<C: Context>(ctx: &C, flow: &Flow, class: ClassId) -> u64 {
    let Some((_, peer)) = peer_of(ctx, flow) else {
        return 0;
    };
    if peer.is_null() {
        return 0;
    }
    // SAFETY: the value of the socket lives as long as the socket does.
    unsafe {
        let count = (&raw const (*peer).count).read_volatile();
        if count == 0 || (*peer).addr != flow.dst || (*peer).port != flow.ports.port_or_zero() {
            return 0;
        }
        let stamp = stamp(generation());
        let mut mask = (&raw const (*peer).mask).read_volatile();
        if (&raw const (*peer).check).read_volatile() != mask ^ stamp {
            mask = 0;
            for at in 0..HELD_NAMES {
                if at < usize::from(count) {
                    mask |= mask_of(class, &(*peer).names[at]);
                }
            }
            (&raw mut (*peer).mask).write_volatile(mask);
            (&raw mut (*peer).check).write_volatile(mask ^ stamp);
        }
        let now = now_ns();
        if now.wrapping_sub((*peer).told_ns) > TELL_NS {
            (*peer).told_ns = now;
            tell(ctx, flow, now);
        }
        mask
    }
}

/// Any word but that of another image.
#[inline(always)]
fn stamp(generation: u64) -> u64 {
    generation
        .wrapping_add(1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// An entry outlives its time while connections use it.
#[inline(always)]
fn tell<C: Context>(ctx: &C, flow: &Flow, now: u64) {
    let Some((workload, _)) = workload(ctx, flow.subject) else {
        return;
    };
    let holder = Holder {
        workload,
        addr: flow.dst,
    };
    if let Some(entry) = RESOLVED.get_ptr_mut(&holder) {
        // SAFETY: the entry is a map value.
        unsafe { (*entry).used_ns = now };
    }
}

/// # Safety
/// `entry` is a map value.
#[inline(always)]
unsafe fn keep_peer<C: Context>(ctx: &C, flow: &Flow, entry: *const Resolved, now: u64) {
    let Some((socket, _)) = peer_of(ctx, flow) else {
        return;
    };
    // SAFETY: the socket is the context's, its value lives as long as it does.
    unsafe {
        let peer = PEERS.of_or_zero(socket);
        if peer.is_null() {
            return;
        }
        (&raw mut (*peer).count).write_volatile(0);
        (*peer).addr = flow.dst;
        (*peer).port = flow.ports.port_or_zero();
        (*peer).told_ns = now;
        (*peer).mask = 0;
        (*peer).check = 0;
        let mut count = 0;
        for slot in 0..HELD_NAMES {
            if (*entry).holds(slot, now) {
                (*peer).names[count % HELD_NAMES] = (*entry).names[slot].key;
                count += 1;
            }
        }
        (&raw mut (*peer).count).write_volatile(count as u16);
    }
}
