//! Answers on their way in.

use aya_ebpf::{
    EbpfContext as _, bindings::__sk_buff, helpers::bpf_skb_load_bytes, programs::SkBuffContext,
};
use enforcer_common::{
    abi::{CgroupId, ClassId, Device, DnsCount, Resolved, Stance},
    names::{
        HEADER_BYTES, Head, NameReader as _, Unread, question_hash, read_question, read_record,
        read_records,
    },
};

use super::{
    ANSWER_NS, PORT, asked,
    desk::Reading,
    hold::{hold_addresses, keep_names},
    messages,
};
use crate::{
    emit::count,
    flow::{Context, skb},
    maps::{ASKERS, Asked, MESSAGE_BYTES, QUESTIONS, Question, TRUSTED},
    tables::{now_ns, resolver, seed, workload},
};

/// Reads the answers of a packet to a marked socket.
#[inline(never)]
pub fn read(ctx: &SkBuffContext) {
    let Ok(packet) = skb::parse(ctx, skb::IP_AT_START) else {
        return;
    };
    if packet.source != PORT {
        return;
    }
    let skb = ctx.skb.skb;
    let whole = messages(ctx, &packet, |at, length| {
        count(dns_answer(skb, at, length) as u32);
    });
    if !whole {
        count(DnsCount::NotWhole.counter());
    }
}

/// Learns from the message at `at`, and tells what to count.
///
/// A global function, as all that reads messages: the verifier walks it once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn dns_answer(skb: *mut __sk_buff, at: u64, length: u64) -> u64 {
    let ctx = SkBuffContext::new(skb);
    let outcome = match believe(&ctx, at) {
        Ok(believed) => match copy(&ctx, at, length) {
            Ok(reading) => {
                let outcome = learn(reading, &believed);
                // SAFETY: the desk is a map value.
                unsafe { (*reading.as_ptr()).busy = 0 };
                outcome
            }
            Err(cause) => cause.counter(),
        },
        Err(cause) => cause.counter(),
    };
    u64::from(outcome)
}

/// An answer that somebody waits for, from where it is believed.
struct Believed {
    key: Asked,
    question: Question,
    workload: CgroupId,
    class: ClassId,
}

#[inline(always)]
fn believe(ctx: &SkBuffContext, at: u64) -> Result<Believed, DnsCount> {
    let id = ctx.load(at as usize).map_err(|_| DnsCount::NotWhole)?;
    let source = skb::source_address(ctx).ok_or(DnsCount::Unasked)?;
    let key = asked(ctx, source, u16::from_be_bytes(id));
    // SAFETY: the value is copied; a question that is asked again at this moment has the same hash.
    let question = *unsafe { QUESTIONS.get(&key) }.ok_or(DnsCount::Unasked)?;
    if now_ns().wrapping_sub(question.at_ns) > ANSWER_NS {
        return Err(DnsCount::Unasked);
    }
    if !is_trusted(ctx) {
        return Err(DnsCount::Untrusted);
    }
    match workload(ctx, ctx.cgroup()) {
        Some((workload, tag))
            if tag.stance() == Some(Stance::Judge) && resolver(tag.class, source) =>
        {
            Ok(Believed {
                key,
                question,
                workload,
                class: tag.class,
            })
        }
        _ => Err(DnsCount::Unasked),
    }
}

/// Whether the packet came by an interface that userspace knows, where the socket was made.
#[inline(always)]
fn is_trusted(ctx: &SkBuffContext) -> bool {
    let socket = ctx.socket();
    if socket.is_null() {
        return false;
    }
    // SAFETY: the socket is the context's; the verifier checks every read of the context.
    unsafe {
        let netns = ASKERS.of(socket);
        if netns.is_null() {
            return false;
        }
        let device = Device {
            netns: *netns,
            ifindex: (*ctx.skb.skb).ifindex,
            reserved: 0,
        };
        TRUSTED.get(&device).is_some()
    }
}

/// Puts the message on the desk.
#[inline(always)]
fn copy(ctx: &SkBuffContext, at: u64, length: u64) -> Result<Reading, DnsCount> {
    if length == 0 || length > MESSAGE_BYTES as u64 {
        return Err(DnsCount::NotWhole);
    }
    let reading = Reading::desk().ok_or(DnsCount::NoRoom)?;
    let desk = reading.as_ptr();
    // The verifier follows a mask better than a comparison.
    let bytes = ((length - 1) & (MESSAGE_BYTES as u64 - 1)) + 1;
    // SAFETY: the desk is a map value with room for as many bytes.
    unsafe {
        if (*desk).busy != 0 {
            return Err(DnsCount::Busy);
        }
        let message = (&raw mut (*desk).message).cast();
        if bpf_skb_load_bytes(ctx.as_ptr(), at as u32, message, bytes as u32) != 0 {
            return Err(DnsCount::NotWhole);
        }
        (*desk).busy = 1;
        (*desk).length = bytes;
    }
    Ok(reading)
}

#[inline(always)]
fn learn(reading: Reading, believed: &Believed) -> u32 {
    match understand(reading, believed) {
        Ok(outcome) => outcome.counter(),
        Err(cause) => DnsCount::unread(cause),
    }
}

#[inline(always)]
fn understand(mut reading: Reading, believed: &Believed) -> Result<DnsCount, Unread> {
    let head = Head::read(&reading, 0)?;
    if !head.is_response() || !head.is_query_for_one() {
        return Err(Unread::Question);
    }
    let message = reading;
    let question = read_question(&message, &mut reading, HEADER_BYTES)?;
    let Some(seed) = seed() else {
        return Ok(DnsCount::Unasked);
    };
    let hash = question_hash(&seed, reading.key().whole, question.kind);
    // Taking the question away and using it are one step: a second answer finds none.
    if hash != believed.question.hash || QUESTIONS.remove(&believed.key).is_err() {
        return Ok(DnsCount::Unasked);
    }
    if head.code() != 0 {
        return Ok(DnsCount::NoAddress);
    }
    // SAFETY: the desk is a map value; the answer and the name that was read lie side by side.
    let answer = unsafe { &mut (*reading.as_ptr()).answer };
    answer.begin(reading.key());
    read_records(question.end, head.answers, next_record)?;
    if answer.address_count() == 0 {
        return Ok(DnsCount::NoAddress);
    }
    if !keep_names(reading, believed.class) {
        return Ok(DnsCount::NotNamed);
    }
    hold_addresses(
        answer.address_count(),
        believed.workload,
        Resolved::until(now_ns(), answer.ttl),
    );
    Ok(DnsCount::Learnt)
}

#[inline(always)]
fn next_record(at: u16) -> Result<u16, Unread> {
    match dns_record(u64::from(at)) {
        cause @ 0..=0xff => Err(Unread::from_byte(cause as u8)),
        next => Ok((next >> 8) as u16),
    }
}

/// Reads the record at `at` of the message on the desk. The place after it, shifted by eight bits, or
/// why it cannot be read.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn dns_record(at: u64) -> u64 {
    let Some(mut reading) = Reading::desk() else {
        return Unread::Ends as u64;
    };
    let message = reading;
    // SAFETY: the desk is a map value; answer, message and the name that was read lie side by side.
    let answer = unsafe { &mut (*reading.as_ptr()).answer };
    match read_record(&message, &mut reading, at as u16, answer) {
        Ok(next) => u64::from(next) << 8,
        Err(cause) => cause as u64,
    }
}
