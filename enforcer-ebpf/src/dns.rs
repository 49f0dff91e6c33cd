//! Names from DNS: what workloads ask their resolvers, and what these answer.
//!
//! A question is remembered when it leaves; an answer counts once, for a question of the same socket,
//! resolver, port, number, name and type. It is read on its way in, before the application can, so the
//! first connection after a lookup is already judged by it.
//!
//! What a workload could make up itself counts for nothing:
//!
//! * An answer must come by an interface that userspace knows, in the network namespace where the
//!   socket was when it asked. A tun device of the workload is none, nor is anything in a namespace of
//!   its own.
//! * Nothing that a workload sends may have the address of one of its resolvers and port 53 as its
//!   source: so it cannot answer itself over loopback either.

mod answer;
mod desk;
mod hold;
mod question;

use aya_ebpf::{
    EbpfContext as _,
    bindings::bpf_sock,
    helpers::{bpf_get_netns_cookie, bpf_get_socket_cookie},
    programs::{SkBuffContext, SockAddrContext},
};
use enforcer_common::{
    abi::{Addr, ClassId, Port, Ports, Proto, Stance},
    verdict::{Decision, Flow, Reason, Verdict},
};

use crate::{
    flow::{
        Context,
        skb::{self, Packet},
    },
    maps::{ASKERS, Asked},
    tables::{self, resolver},
};

/// Where resolvers are asked (RFC 1035, 4.2).
pub const PORT: Port = Port(53);

/// How long an answer is waited for: longer than any stub resolver waits.
const ANSWER_NS: u64 = 30_000_000_000;

/// Messages of one TCP segment that are read.
const SEGMENT_MESSAGES: u32 = 4;

/// Whether answers are read. The loader clears it where no policy has names (`kernel::Build`): the
/// verifier then walks none of this, which is most of its work.
#[unsafe(no_mangle)]
static READ_NAMES: u8 = 1;

/// See [`READ_NAMES`].
#[inline(always)]
pub fn reads_names() -> bool {
    // SAFETY: it is a plain byte. Volatile, because the loader may have set it.
    unsafe { (&raw const READ_NAMES).read_volatile() != 0 }
}

/// Marks a socket that is about to ask a resolver of its workload. Only connect and sendmsg hooks
/// know the network namespace on all kernels.
#[inline(always)]
pub fn ask(ctx: &SockAddrContext, flow: &Flow, decision: &Decision) {
    let asks = reads_names()
        && flow.ports == Ports::is(PORT)
        && (flow.proto == Proto::UDP || flow.proto == Proto::TCP);
    if asks && decision.verdict == Verdict::Allow && decision.reason != Reason::Untagged {
        mark(ctx, flow);
    }
}

#[inline(never)]
fn mark(ctx: &SockAddrContext, flow: &Flow) {
    let socket = ctx.socket();
    if socket.is_null() {
        return;
    }
    if !matches!(judged_class(ctx, flow), Some(class) if resolver(class, flow.dst)) {
        return;
    }
    // SAFETY: the socket is the context's; the value is one aligned word.
    unsafe {
        let asker = ASKERS.of_or_zero(socket);
        if !asker.is_null() {
            *asker = bpf_get_netns_cookie(ctx.as_ptr());
        }
    }
}

/// The class of the flow's workload, if policies judge it.
#[inline(always)]
fn judged_class<C: Context>(ctx: &C, flow: &Flow) -> Option<ClassId> {
    let (_, tag) = tables::workload(ctx, flow.subject)?;
    (tag.stance() == Some(Stance::Judge)).then_some(tag.class)
}

/// Remembers the questions of a packet that passes.
#[inline(always)]
pub fn send(ctx: &SkBuffContext, packet: &Packet, decision: &Decision) {
    if reads_names()
        && packet.ports == Ports::is(PORT)
        && decision.verdict == Verdict::Allow
        && decision.reason != Reason::Untagged
    {
        question::remember(ctx, packet);
    }
}

/// Whether a packet on its way out is to be read: each question to a resolver is to be remembered, and
/// what says that it is an answer may be forged.
#[inline(always)]
pub fn is_read(packet: &Packet) -> bool {
    reads_names() && (packet.source == PORT || packet.ports == Ports::is(PORT))
}

/// Whether a workload sends as if it were one of its resolvers.
#[inline(always)]
pub fn is_forged(ctx: &SkBuffContext, packet: &Packet) -> bool {
    reads_names() && packet.source == PORT && has_source_of_resolver(ctx, &packet.flow(ctx))
}

#[inline(never)]
fn has_source_of_resolver(ctx: &SkBuffContext, flow: &Flow) -> bool {
    match (judged_class(ctx, flow), skb::source_address(ctx)) {
        (Some(class), Some(source)) => resolver(class, source),
        _ => false,
    }
}

/// Whether what comes from this port of a socket's peer may be an answer that is read.
#[inline(always)]
pub fn may_answer(port: Port) -> bool {
    reads_names() && port == PORT
}

/// Reads what a resolver answered to a marked socket.
///
/// # Safety
/// `socket` is the full socket of the context.
#[inline(always)]
pub unsafe fn receive(ctx: &SkBuffContext, socket: *mut bpf_sock) {
    if !reads_names() {
        return;
    }
    // SAFETY: the verifier checks every read of the socket.
    unsafe {
        let remote = u16::from_be((*socket).dst_port);
        let unconnected = remote == 0 && (*socket).protocol == u32::from(Proto::UDP.0);
        if (remote == PORT.0 || unconnected) && !ASKERS.of(socket).is_null() {
            answer::read(ctx);
        }
    }
}

/// The messages of a packet: calls `each` with the place and length of each.
///
/// Over TCP a message has its length before it (RFC 1035, 4.2.2), and a segment may hold several.
/// Whether all were whole.
#[inline(always)]
fn messages(ctx: &SkBuffContext, packet: &Packet, mut each: impl FnMut(u64, u64)) -> bool {
    const UDP_HEADER: usize = 8;
    let end = ctx.skb.len() as usize;
    if packet.proto == Proto::UDP {
        let at = packet.payload + UDP_HEADER;
        if at < end {
            each(at as u64, (end - at) as u64);
        }
        return at <= end;
    }
    let Some(mut at) = skb::tcp_payload(ctx, packet.payload) else {
        return false;
    };
    for _ in 0..SEGMENT_MESSAGES {
        if at >= end {
            break;
        }
        let Ok(length) = ctx.load::<[u8; 2]>(at) else {
            return false;
        };
        let length = usize::from(u16::from_be_bytes(length));
        at += 2;
        if at + length > end {
            return false;
        }
        each(at as u64, length as u64);
        at += length;
    }
    at >= end
}

/// The question that a message with this number is, or answers.
#[inline(always)]
fn asked(ctx: &SkBuffContext, resolver: Addr, id: u16) -> Asked {
    Asked {
        // SAFETY: the context is the helper's argument.
        socket: unsafe { bpf_get_socket_cookie(ctx.as_ptr()) },
        resolver,
        id,
        local_port: ctx.local_port(),
        reserved: 0,
    }
}
