//! Replies: what the other side opened.
//!
//! TCP: a listener is marked when a packet reaches it, and the kernel copies the mark to each socket
//! it accepts. The mark is the listener's cookie, so the listener's own mark means nothing once it
//! stops listening; `connect` clears the mark of a socket that is used again.
//!
//! UDP: an unconnected socket that receives a packet may answer its sender for 30 seconds. A
//! connected one only hears the peer that it opened the exchange with.
//!
//! Packets that arrive over loopback open nothing: the workload could have written them itself.

use aya_ebpf::{
    bindings::{BPF_SK_STORAGE_GET_F_CREATE, bpf_sock},
    helpers::{bpf_get_socket_cookie, bpf_sk_storage_delete, bpf_sk_storage_get},
    programs::{SkBuffContext, SockAddrContext},
};
use enforcer_common::{
    abi::{Hook, Port, Proto},
    verdict::Flow,
};

use crate::{
    flow::{Context, skb},
    maps::{ACCEPTED, Exchange, REPLIES},
    tables::now_ns,
};

/// `ifindex` of loopback in every network namespace.
const LOOPBACK: u32 = 1;
/// `BPF_TCP_LISTEN`.
const LISTEN: u32 = 10;
/// How long a UDP packet may be answered.
const UDP_REPLY_NS: u64 = 30_000_000_000;

/// Whether the flow answers what the other side opened.
#[inline(never)]
pub fn is_reply<C: Context>(ctx: &C, flow: &Flow) -> bool {
    if flow.proto == Proto::TCP {
        // Who connects is not answering.
        flow.hook == Hook::Egress && was_accepted(ctx)
    } else if flow.proto == Proto::UDP {
        answers_exchange(ctx, flow)
    } else {
        false
    }
}

#[inline(always)]
fn was_accepted<C: Context>(ctx: &C) -> bool {
    let socket = ctx.socket();
    if socket.is_null() {
        return false;
    }
    // SAFETY: the verifier checks the socket pointer and every read of it.
    unsafe {
        let mark = bpf_sk_storage_get(ACCEPTED.as_ptr(), socket.cast(), core::ptr::null_mut(), 0);
        if mark.is_null() {
            return false;
        }
        let listener = *mark.cast::<u64>();
        let own = bpf_get_socket_cookie(ctx.as_ptr());
        listener != own || (*socket).state == LISTEN
    }
}

#[inline(always)]
fn answers_exchange<C: Context>(ctx: &C, flow: &Flow) -> bool {
    let Some(remote_port) = flow.ports.port() else {
        return false;
    };
    let local_port = ctx.local_port();
    let exchange = Exchange {
        cgroup: flow.subject,
        remote: flow.dst,
        remote_port,
        local_port,
        reserved: 0,
    };
    // SAFETY: an aligned eight-byte value is read whole.
    match unsafe { REPLIES.get(&exchange) } {
        Some(&at) => now_ns().wrapping_sub(at) < UDP_REPLY_NS,
        None => false,
    }
}

/// The port of the socket's peer; 0 for a socket that listens, has no peer or does not exist. Known of
/// every kind of socket, the small ones of TCP included.
#[inline(always)]
pub fn peer_port(ctx: &SkBuffContext) -> Port {
    // SAFETY: the verifier checks every read of the context and of the socket.
    unsafe {
        let socket = (*ctx.skb.skb).__bindgen_anon_2.sk;
        if socket.is_null() || (*socket).state == LISTEN {
            return Port(0);
        }
        Port(u16::from_be((*socket).dst_port))
    }
}

/// Remembers what an incoming packet opens, of a socket that has no peer.
///
/// # Safety
/// `socket` is the full socket of the context.
#[inline(always)]
pub unsafe fn remember(ctx: &SkBuffContext, socket: *mut bpf_sock) {
    // SAFETY: the verifier checks every read of the context and of the socket.
    unsafe {
        if (*ctx.skb.skb).ifindex == LOOPBACK {
            return;
        }
        if (*socket).protocol == u32::from(Proto::UDP.0) {
            remember_exchange(ctx);
        } else if (*socket).state == LISTEN {
            mark_listener(ctx, socket);
        }
    }
}

#[inline(always)]
fn remember_exchange(ctx: &SkBuffContext) {
    let Some((remote, remote_port)) = skb::udp_sender(ctx) else {
        return;
    };
    let exchange = Exchange {
        cgroup: ctx.cgroup(),
        remote,
        remote_port,
        local_port: ctx.local_port(),
        reserved: 0,
    };
    // The map evicts the oldest when it is full, so this fails only for want of memory, and then
    // the reply is judged: refused rather than let through.
    let _refused_if_lost = REPLIES.insert(&exchange, now_ns(), 0);
}

/// # Safety
/// `socket` is a full socket of this context.
#[inline(always)]
unsafe fn mark_listener(ctx: &SkBuffContext, socket: *mut bpf_sock) {
    // SAFETY: the verifier checks the socket pointer; the value outlives the call.
    unsafe {
        let mut cookie = bpf_get_socket_cookie(ctx.skb.skb.cast());
        bpf_sk_storage_get(
            ACCEPTED.as_ptr(),
            socket.cast(),
            (&raw mut cookie).cast(),
            BPF_SK_STORAGE_GET_F_CREATE.into(),
        );
    }
}

/// A socket that connects is no longer one that was accepted.
#[inline(always)]
pub fn forget(ctx: &SockAddrContext) {
    let socket = ctx.socket();
    if socket.is_null() {
        return;
    }
    // SAFETY: the verifier checks the socket pointer.
    unsafe {
        // Looking is cheap, deleting takes a reference on the socket whether there is a mark or not.
        let mark = bpf_sk_storage_get(ACCEPTED.as_ptr(), socket.cast(), core::ptr::null_mut(), 0);
        if !mark.is_null() {
            bpf_sk_storage_delete(ACCEPTED.as_ptr(), socket.cast());
        }
    }
}
