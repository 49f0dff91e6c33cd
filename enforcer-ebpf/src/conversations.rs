//! Replies at a workload's interface, where no socket is known: who opened which conversation.
//!
//! TCP: the other side opened a connection if it sent the first SYN; a frame that itself opens one
//! answers nothing. UDP and ping: a packet may be answered for 30 seconds, unless the workload had
//! spoken first.
//!
//! What comes back by the interface that it left opens nothing: the workload could have written it
//! itself, with any source.

use enforcer_common::{
    abi::{Addr, Port, Proto},
    verdict::{Decision, Flow, Reason, Verdict},
};

use crate::{
    flow::{frame::Frame, skb::Packet},
    maps::{CONVERSATIONS, Conversation},
    tables::now_ns,
};

/// How long a packet may be answered.
const REPLY_NS: u64 = 30_000_000_000;
/// The workload opened it.
const OWN: u64 = 0;

/// Remembers what a frame on its way in opens.
#[inline(always)]
pub fn remember(frame: &Frame<'_>, packet: &Packet) {
    let is_udp = packet.proto == Proto::UDP;
    if !(is_udp || frame.opens) || frame.returns() {
        return;
    }
    let Ok(remote) = frame.src() else {
        return;
    };
    let key = if packet.proto.has_ports() {
        let Some(local_port) = packet.ports.port() else {
            return;
        };
        conversation(frame, packet.proto, remote, frame.src_port, local_port)
    } else {
        conversation(frame, packet.proto, remote, Port(0), frame.src_port)
    };
    // SAFETY: an aligned eight-byte value is read whole.
    if is_udp && unsafe { CONVERSATIONS.get(&key) } == Some(&OWN) {
        return;
    }
    // Fails only for want of memory, and then the reply is judged: refused rather than let through.
    let _refused_if_lost = CONVERSATIONS.insert(&key, now_ns(), 0);
}

/// Remembers that the workload spoke first, so that answers of the other side open nothing. What is
/// refused needs no memory, and neither does TCP. Out of line, for its program is short of stack.
#[inline(never)]
pub fn own(frame: &Frame<'_>, flow: &Flow, decision: &Decision) {
    if flow.proto != Proto::UDP
        || decision.verdict != Verdict::Allow
        || !matches!(decision.reason, Reason::Rule)
    {
        return;
    }
    let key = of_flow(frame, flow);
    // SAFETY: only whether there is a value is asked.
    if unsafe { CONVERSATIONS.get(&key) }.is_none() {
        // Fails only for want of memory: the next packet tries again.
        let _tried_again = CONVERSATIONS.insert(&key, OWN, 0);
    }
}

/// Whether the flow answers what the other side opened.
#[inline(always)]
pub fn is_reply(frame: &Frame<'_>, flow: &Flow) -> bool {
    if frame.opens {
        return false;
    }
    let key = of_flow(frame, flow);
    // SAFETY: an aligned eight-byte value is read whole.
    match unsafe { CONVERSATIONS.get(&key) } {
        None | Some(&OWN) => false,
        Some(&at) => flow.proto == Proto::TCP || now_ns().wrapping_sub(at) < REPLY_NS,
    }
}

#[inline(always)]
fn of_flow(frame: &Frame<'_>, flow: &Flow) -> Conversation {
    let remote_port = flow.ports.port_or_zero();
    conversation(frame, flow.proto, flow.dst, remote_port, frame.src_port)
}

#[inline(always)]
fn conversation(
    frame: &Frame<'_>,
    proto: Proto,
    remote: Addr,
    remote_port: Port,
    local_port: Port,
) -> Conversation {
    Conversation {
        cgroup: frame.cgroup,
        remote,
        remote_port,
        local_port,
        proto,
        reserved: [0; 3],
    }
}
