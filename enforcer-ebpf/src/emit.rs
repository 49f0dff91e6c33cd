//! Decisions to counters, flow counts and events.

use core::{arch::asm, hint::cold_path};

use aya_ebpf::bindings::BPF_NOEXIST;
use enforcer_common::{
    abi::{Counter, FlowCount, FlowKey, Hook, Port, Proto, RuleId},
    opaque::opaque,
    verdict::{Decision, Flow, Reason, Verdict},
};

use crate::{
    flow::Context,
    maps::{COUNTED_RULES, COUNTERS, DECISIONS, EVENTS, FLOWS, FlowMap, RECORDED},
    tables::{generation, now_ns},
};

/// Counts the decision; a refusal also counts for its flow, and the first of a flow is an event.
#[inline(always)]
pub fn report<C: Context>(ctx: &C, flow: &Flow, decision: &Decision) {
    #[cfg(feature = "trace")]
    crate::trace::log(flow, decision);
    if decision.reason != Reason::Rule {
        // Most traffic of workloads is decided by rules, and its way lies in one piece.
        cold_path();
    }
    match decision.reason {
        Reason::Rule => {
            count_rule(decision);
            if decision.verdict == Verdict::Allow && !decision.would_deny {
                record(ctx, flow, decision);
            }
        }
        Reason::Fault(fault) => count(fault.counter()),
        Reason::Untagged => count(Counter::Untagged as u32),
        Reason::Reply => count(Counter::Replies as u32),
        Reason::Released => {
            count(Counter::Passed as u32);
            record(ctx, flow, decision);
        }
        Reason::Loopback | Reason::Housekeeping => count(Counter::Passed as u32),
        Reason::Unknown => count(Counter::Unknown as u32),
        Reason::Isolated => count(Counter::Isolated as u32),
    }
    if decision.verdict == Verdict::Deny || decision.would_deny {
        cold_path();
        report_refusal(ctx, flow, decision);
    }
}

/// Whether flows that pass are recorded too. The loader sets it before the programs are verified
/// (`kernel::Build`), and the kernel removes what a constant makes unreachable.
#[unsafe(no_mangle)]
static RECORD_FLOWS: u8 = 0;

#[inline(always)]
fn record_flows() -> bool {
    // SAFETY: it is a plain byte. Volatile, because the loader may have set it.
    unsafe { (&raw const RECORD_FLOWS).read_volatile() != 0 }
}

/// Counts what a policy allowed, or no policy judged. A flow begins at a socket hook, so that its
/// packets cost nothing more; raw sockets and ICMP have no such beginning.
#[inline(always)]
fn record<C: Context>(ctx: &C, flow: &Flow, decision: &Decision) {
    if record_flows() && (flow.hook != Hook::Egress || !has_beginning(flow)) {
        count_passed(ctx, &key_of(flow, decision));
    }
}

/// Whether each packet of a flow is recorded, and must be seen for that.
#[inline(always)]
pub fn records_packets(flow: &Flow) -> bool {
    !has_beginning(flow) && record_flows()
}

#[inline(always)]
fn has_beginning(flow: &Flow) -> bool {
    matches!(flow.proto, Proto::TCP | Proto::UDP)
}

/// Out of line as [`report_refusal`].
#[inline(never)]
fn count_passed<C: Context>(ctx: &C, key: &FlowKey) {
    let now = now_ns();
    if again(&RECORDED, ctx, key, now) {
        return;
    }
    let inserted = begin(&RECORDED, ctx, key, now);
    // Either another CPU was first, or there is no room.
    if !inserted && !again(&RECORDED, ctx, key, now) {
        count(Counter::LostRecordsFull as u32);
    }
}

#[inline(always)]
fn key_of(flow: &Flow, decision: &Decision) -> FlowKey {
    FlowKey {
        cgroup: flow.subject,
        dst: flow.dst,
        port: flow.ports.port_or_zero(),
        proto: flow.proto,
        verdict: decision.verdict as u8 | if decision.would_deny { 0x80 } else { 0 },
        rule: decision.rule,
        generation: decision.generation,
    }
}

/// Rules past the end of the table are counted together, as rule 0.
#[inline(always)]
fn count_rule(decision: &Decision) {
    let row = if decision.rule.0 < COUNTED_RULES {
        decision.rule
    } else {
        RuleId::NONE
    };
    let column: u64 = match decision.verdict {
        Verdict::Allow if decision.would_deny => 2,
        Verdict::Allow => 0,
        Verdict::Deny | Verdict::Hold => 1,
    };
    // What the optimiser knows of the column, the verifier may have lost on the way.
    let column = opaque(column) as usize & 3;
    if column < 3
        && let Some(cells) = DECISIONS.get_ptr_mut(row.0.into())
    {
        // SAFETY: the column is one of three.
        let cell = unsafe { cells.cast::<u64>().add(column) };
        if column == 0 {
            tick(cell);
        } else {
            add(cell, 1);
        }
    }
}

/// Out of line, so that the way of what passes stays short.
#[inline(never)]
fn report_refusal<C: Context>(ctx: &C, flow: &Flow, decision: &Decision) {
    let key = key_of(flow, decision);
    let now = now_ns();
    if again(&FLOWS, ctx, &key, now) {
        return;
    }
    if !begin(&FLOWS, ctx, &key, now) {
        // Either another CPU was first, or there is no room.
        if again(&FLOWS, ctx, &key, now) {
            return;
        }
        count(Counter::LostFlowsFull as u32);
    }
    emit(ctx, flow, decision, key, now);
}

/// Remembers a flow; `false` when another CPU did, or there is no room.
#[inline(always)]
fn begin<C: Context>(flows: &FlowMap, ctx: &C, key: &FlowKey, now: u64) -> bool {
    let first = FlowCount {
        count: 1,
        bytes: ctx.bytes(),
        first_ns: now,
        last_ns: now,
    };
    // References: a value would be copied, and the stack has 512 bytes for all calls together.
    flows.insert(key, &first, BPF_NOEXIST.into()).is_ok()
}

/// Counts a repeat of a known flow.
#[inline(always)]
fn again<C: Context>(flows: &FlowMap, ctx: &C, key: &FlowKey, now: u64) -> bool {
    let Some(flow) = flows.get_ptr_mut(key) else {
        return false;
    };
    // SAFETY: the element stays valid for this run of the program; other CPUs write it too, each
    // field by itself.
    unsafe {
        add(&raw mut (*flow).count, 1);
        add(&raw mut (*flow).bytes, ctx.bytes());
        (&raw mut (*flow).last_ns).write_volatile(now);
    }
    true
}

#[inline(always)]
fn emit<C: Context>(ctx: &C, flow: &Flow, decision: &Decision, key: FlowKey, now: u64) {
    let Some(mut slot) = EVENTS.reserve(0) else {
        return count(Counter::LostRingFull as u32);
    };
    let event = slot.as_mut_ptr();
    // Field by field: a whole event takes a fifth of the stack, and more while it is put together.
    // SAFETY: the room is there until it is submitted, and every byte of it is written.
    unsafe {
        (*event).flow = key;
        (*event).at_ns = now;
        (*event).generation = generation();
        let (src, local_port) = ctx.source();
        (*event).src = src;
        // A ping socket keeps its identifier there.
        (*event).src_port = if flow.proto.has_ports() {
            local_port
        } else {
            Port(0)
        };
        let (pid, uid, comm) = ctx.process().unwrap_or_default();
        (*event).pid = pid;
        (*event).uid = uid;
        (*event).comm = comm;
        (*event).class = decision.class;
        (*event).hook = flow.hook as u8;
        (*event).reason = decision.reason.to_byte();
        (*event).reserved = [0; 2];
    }
    slot.submit(0);
}

/// Adds one to a counter.
#[inline(always)]
pub fn count(counter: u32) {
    if let Some(cell) = COUNTERS.get_ptr_mut(counter) {
        add(cell, 1);
    }
}

/// Counts what passed. Not atomic: a locked instruction would wait for the cache misses of the
/// verdict, which the processor otherwise overlaps with what the kernel does next (a fifth of the
/// cost of the hook). A packet that interrupts a system call between load and store can cost one
/// count; refusals are counted by [`add`].
#[inline(always)]
fn tick(cell: *mut u64) {
    // SAFETY: an aligned word of a map value, which outlives this run of the program.
    unsafe { cell.write_volatile(cell.read_volatile() + 1) };
}

/// Atomic although per CPU: a packet may interrupt a system call between load and store.
///
/// `AtomicU64` has no `fetch_add` here, for the target declares no compare-and-swap.
#[inline(always)]
pub fn add(cell: *mut u64, amount: u64) {
    // SAFETY: an aligned word of a map value, which outlives this run of the program.
    unsafe { asm!("lock *(u64 *)({0} + 0) += {1}", in(reg) cell, in(reg) amount, options(nostack)) }
}
