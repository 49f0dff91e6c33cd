//! Flow to decision to action: the only place that knows the order and the return codes.

use aya_ebpf::{
    bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC},
    programs::{SkBuffContext, SockAddrContext},
};
use enforcer_common::{
    abi::Proto,
    verdict::{Decision, Fault, Flow, Mark, Reason, Tables, Verdict, decide},
};

use crate::{
    conversations, dns, emit,
    flow::{
        Context,
        frame::{Frame, Way},
        skb::{self, IP_AT_START, Packet, Question},
        socket_tag,
    },
    repeats, replies,
    tables::{self, KernelTables},
};

/// Return values of `cgroup_sock_addr` programs: 0 is `EPERM`.
const REFUSE: i32 = 0;
const PROCEED: i32 = 1;

/// Return values of `cgroup_skb` egress programs (kernel/bpf/cgroup.c,
/// `__cgroup_bpf_run_filter_skb`).
const DROP: i32 = 0;
const KEEP: i32 = 1;
/// Drop and signal congestion: the sender sees no error and TCP tries again.
const DROP_QUIETLY: i32 = 2;

/// `connect`.
#[inline(always)]
pub fn connect(ctx: &SockAddrContext, flow: &Flow) -> i32 {
    if flow.proto == Proto::TCP {
        replies::forget(ctx);
    }
    let decision = settle(ctx, flow, repeats::mark(flow));
    if matches!(decision.verdict, Verdict::Allow) && matches!(decision.reason, Reason::Rule) {
        socket_tag::apply(ctx, flow.dst, tables::socket_tag(decision.class));
    }
    dns::ask(ctx, flow, &decision);
    socket_action(decision)
}

/// `sendmsg` and `sendto` of unconnected sockets.
#[inline(always)]
pub fn sendmsg(ctx: &SockAddrContext, flow: &Flow) -> i32 {
    let decision = settle(ctx, flow, repeats::mark(flow));
    dns::ask(ctx, flow, &decision);
    socket_action(decision)
}

/// A packet on its way out.
#[inline(always)]
pub fn egress(ctx: &SkBuffContext) -> i32 {
    // Nearly all packets end here. The others are read once more: judging them costs more than that.
    if skb::is_plain_and::<PassesAgain>(ctx, IP_AT_START) {
        return KEEP;
    }
    let decision = match skb::parse(ctx, IP_AT_START) {
        Ok(packet) if packet.housekeeping => {
            Decision::because(Verdict::Allow, Reason::Housekeeping)
        }
        Ok(packet) if dns::is_forged(ctx, &packet) => refuse(ctx, &packet.flow(ctx), Fault::Forged),
        Ok(packet) => {
            let flow = packet.flow(ctx);
            let mark = repeats::mark(&flow);
            if passes_again(&packet, mark) {
                return KEEP;
            }
            let decision = settle(ctx, &flow, mark);
            dns::send(ctx, &packet, &decision);
            decision
        }
        Err(fault) => unreadable(ctx, &skb::unreadable(ctx), fault),
    };
    match decision.verdict {
        Verdict::Allow => KEEP,
        Verdict::Deny => DROP,
        Verdict::Hold => DROP_QUIETLY,
    }
}

/// Whether an equal packet was allowed, and nothing is to be read in this one.
#[inline(always)]
fn passes_again(packet: &Packet, mark: Option<Mark>) -> bool {
    !dns::is_read(packet) && repeats::was_allowed(mark)
}

/// See [`passes_again`].
struct PassesAgain;

impl Question for PassesAgain {
    #[inline(always)]
    fn holds(ctx: &SkBuffContext, packet: &Packet) -> bool {
        passes_again(packet, repeats::mark(&packet.flow(ctx)))
    }
}

/// A packet on its way in: it always passes.
#[inline(always)]
pub fn ingress(ctx: &SkBuffContext) -> i32 {
    let peer = replies::peer_port(ctx);
    // Nearly all packets come to sockets with a peer, and open nothing.
    if peer.0 != 0 && !dns::may_answer(peer) {
        return KEEP;
    }
    let socket = ctx.socket();
    if !socket.is_null() {
        // SAFETY: the socket is the context's.
        unsafe {
            if peer.0 == 0 {
                replies::remember(ctx, socket);
            }
            dns::receive(ctx, socket);
        }
    }
    KEEP
}

/// A frame that comes out of a workload's interface. What passes is left to the programs beside this
/// one, as if it were not there but for the mark: for tcx this value is `TCX_NEXT`.
#[inline(always)]
pub fn device_egress(ctx: &SkBuffContext) -> i32 {
    let Some(mut frame) = Frame::new(ctx) else {
        return TC_ACT_UNSPEC;
    };
    if let Some(mark) = tables::socket_tag_of(&frame, frame.cgroup).mark() {
        frame.set_mark(mark);
    }
    let decision = match frame.read(Way::Out) {
        Ok(packet) if packet.housekeeping => return TC_ACT_UNSPEC,
        Ok(packet) => {
            let flow = frame.flow(&packet);
            let mark = repeats::device_mark(&flow);
            // Each datagram may be the one that opens an exchange.
            if repeats::was_allowed(mark) && flow.proto != Proto::UDP {
                return TC_ACT_UNSPEC;
            }
            let decision = settle(&frame, &flow, mark);
            conversations::own(&frame, &flow, &decision);
            decision
        }
        Err(fault) => unreadable(&frame, &frame.unreadable(), fault),
    };
    match decision.verdict {
        Verdict::Allow => TC_ACT_UNSPEC,
        Verdict::Deny | Verdict::Hold => TC_ACT_SHOT,
    }
}

/// A frame that goes into a workload's interface: it always passes.
#[inline(always)]
pub fn device_ingress(ctx: &SkBuffContext) -> i32 {
    if let Some(mut frame) = Frame::new(ctx)
        && let Ok(packet) = frame.read(Way::In)
    {
        conversations::remember(&frame, &packet);
    }
    TC_ACT_UNSPEC
}

/// Holding is the packet hook's work: there TCP tries again by itself, here it would give up.
#[inline(always)]
fn socket_action(decision: Decision) -> i32 {
    match decision.verdict {
        Verdict::Allow | Verdict::Hold => PROCEED,
        Verdict::Deny => REFUSE,
    }
}

#[inline(always)]
fn settle<C: Context>(ctx: &C, flow: &Flow, mark: Option<Mark>) -> Decision {
    let tables = KernelTables(ctx);
    let decision = decide(&tables, flow);
    if !emit::records_packets(flow) {
        repeats::remember(mark, &decision);
    }
    emit::report(ctx, flow, &decision);
    decision
}

/// A packet that cannot be read is refused to tagged workloads and none of our business otherwise.
#[inline(always)]
fn unreadable<C: Context>(ctx: &C, flow: &Flow, fault: Fault) -> Decision {
    let tables = KernelTables(ctx);
    if tables.tag(flow).is_some() {
        return refuse(ctx, flow, fault);
    }
    let decision = Decision::because(Verdict::Allow, Reason::Untagged);
    emit::report(ctx, flow, &decision);
    decision
}

/// Out of line, for it is rare.
#[inline(never)]
fn refuse<C: Context>(ctx: &C, flow: &Flow, fault: Fault) -> Decision {
    let decision = Decision::fault(fault);
    emit::report(ctx, flow, &decision);
    decision
}
