//! What holds of the names of a destination.
//!
//! A connected socket keeps the names under which its first packet passed, so it goes on when the
//! entry of its address is over. Everything else goes by the entry.
//!
//! The work is done in global functions, which take no more than numbers and the context: the verifier
//! walks each once, not once for every way there.

use aya_ebpf::{
    bindings::{__sk_buff, bpf_sock},
    programs::SkBuffContext,
};
use enforcer_common::{
    abi::{Addr, CgroupId, ClassId, HELD_NAMES, Holder, Hook, Port},
    names::NameKey,
    verdict::{Flow, name_set_of},
};

use crate::{
    dns::reads_names,
    flow::Context,
    maps::{PEERS, Peer, RESOLVED},
    tables::{generation, name_set, now_ns, set_mask, workload},
};

/// The names could not be looked up: not a mask, for 64 conditions never hold together.
pub const UNREADABLE: u64 = u64::MAX;

/// How often an entry is told that it is in use.
const TELL_NS: u64 = 10_000_000_000;

/// Flag of [`held_mask`]: the packet leaves, so the entry is in use.
const SENT: u64 = 1 << 16;

/// What holds of the flow's destination, or [`UNREADABLE`].
#[inline(always)]
pub fn of<C: Context>(ctx: &C, flow: &Flow, class: ClassId) -> u64 {
    if !reads_names() {
        return UNREADABLE;
    }
    let mask = ctx.peer_mask(flow, class);
    if mask != 0 {
        return mask;
    }
    let Some((workload, _)) = workload(ctx, flow.subject) else {
        return 0;
    };
    let sent = if flow.hook == Hook::Egress { SENT } else { 0 };
    let (hi, lo) = flow.dst.halves();
    let mask = held_mask(workload.0, hi, lo, u64::from(class.0) | sent);
    if mask != 0 && mask != UNREADABLE {
        ctx.keep_peer(flow, workload);
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

/// What holds of an address by its entry. The low 16 bits of `class` are the class.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn held_mask(workload: u64, hi: u64, lo: u64, class: u64) -> u64 {
    let holder = Holder {
        workload: CgroupId(workload),
        addr: Addr::from_halves(hi, lo),
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
                mask |= mask_of(ClassId(class as u16), &(*entry).names[slot].key);
            }
        }
        // The kernel may give the memory of a replaced entry to another one at once. What comes first
        // is overwritten first.
        if (&raw const (*entry).holder).read_volatile() != holder {
            return UNREADABLE;
        }
        if class & SENT != 0 && mask != 0 {
            (*entry).used_ns = now;
        }
    }
    mask
}

/// The socket of a packet, if it is connected and to this port.
#[inline(always)]
fn connected(ctx: &SkBuffContext) -> Option<*mut bpf_sock> {
    let socket = ctx.socket();
    // SAFETY: the verifier checks every read of the socket.
    if socket.is_null() || unsafe { (*socket).dst_port } == 0 {
        return None;
    }
    Some(socket)
}

/// What holds of an address by the names that a packet's socket keeps; 0 when it keeps none of it.
/// The class is in the high and the port in the low 16 bits of `class_and_port`.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn peer_mask(skb: *mut __sk_buff, hi: u64, lo: u64, class_and_port: u64) -> u64 {
    let ctx = SkBuffContext::new(skb);
    let (class, port) = (
        ClassId((class_and_port >> 16) as u16),
        Port(class_and_port as u16),
    );
    let Some(socket) = connected(&ctx) else {
        return 0;
    };
    let addr = Addr::from_halves(hi, lo);
    // SAFETY: the value of the socket lives as long as the socket does.
    unsafe {
        let peer = PEERS.of(socket);
        if peer.is_null() {
            return 0;
        }
        let count = (&raw const (*peer).count).read_volatile();
        if count == 0 || (*peer).addr != addr || (*peer).port != port {
            return 0;
        }
        let mask = current_mask(peer, class, count);
        let now = now_ns();
        if mask != 0 && now.wrapping_sub((*peer).told_ns) > TELL_NS {
            (*peer).told_ns = now;
            tell(&ctx, addr, now);
        }
        mask
    }
}

/// What the names of a peer mean in the image in force.
///
/// # Safety
/// `peer` is the value of a socket.
#[inline(always)]
unsafe fn current_mask(peer: *mut Peer, class: ClassId, count: u16) -> u64 {
    // SAFETY: see above.
    unsafe {
        // Any word but that of another image.
        let stamp = generation()
            .wrapping_add(1)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mask = (&raw const (*peer).mask).read_volatile();
        if (&raw const (*peer).check).read_volatile() == mask ^ stamp {
            return mask;
        }
        let mut mask = 0;
        for at in 0..HELD_NAMES {
            if at < usize::from(count) {
                mask |= mask_of(class, &(*peer).names[at]);
            }
        }
        if mask != UNREADABLE {
            (&raw mut (*peer).mask).write_volatile(mask);
            (&raw mut (*peer).check).write_volatile(mask ^ stamp);
        }
        mask
    }
}

/// An entry outlives its time while connections use it.
#[inline(always)]
fn tell(ctx: &SkBuffContext, addr: Addr, now: u64) {
    let Some((workload, _)) = workload(ctx, ctx.cgroup()) else {
        return;
    };
    if let Some(entry) = RESOLVED.get_ptr_mut(&Holder { workload, addr }) {
        // SAFETY: the entry is a map value.
        unsafe { (*entry).used_ns = now };
    }
}

/// Keeps the names of an address with a packet's socket. Always returns 0.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn keep_peer(
    skb: *mut __sk_buff,
    workload: u64,
    hi: u64,
    lo: u64,
    port: u64,
) -> u64 {
    let ctx = SkBuffContext::new(skb);
    let holder = Holder {
        workload: CgroupId(workload),
        addr: Addr::from_halves(hi, lo),
    };
    let Some(socket) = connected(&ctx) else {
        return 0;
    };
    let Some(entry) = RESOLVED.get_ptr(&holder) else {
        return 0;
    };
    let now = now_ns();
    // SAFETY: the entry is a map value; the socket's value lives as long as the socket does.
    unsafe {
        let peer = PEERS.of_or_zero(socket);
        if peer.is_null() {
            return 0;
        }
        (&raw mut (*peer).count).write_volatile(0);
        (*peer).addr = holder.addr;
        (*peer).port = Port(port as u16);
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
        // As in `held_mask`.
        if (&raw const (*entry).holder).read_volatile() == holder {
            (&raw mut (*peer).count).write_volatile(count as u16);
        }
    }
    0
}
