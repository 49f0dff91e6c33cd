//! Answers on their way in.

use aya_ebpf::{
    EbpfContext as _, bindings::__sk_buff, helpers::bpf_skb_load_bytes, programs::SkBuffContext,
};
use enforcer_common::{
    abi::{ClassId, Device, DnsCount, Resolved, Stance},
    names::{
        Bytes as _, CLASS_INTERNET, HEADER_BYTES, Head, NameReader as _, Unread, question_hash,
        read_record, read_records,
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
    maps::{ASKERS, MESSAGE_BYTES, QUESTIONS, TRUSTED},
    tables::{now_ns, resolver, seed, workload},
};

/// Reads the answers of a packet to a marked socket.
#[inline(never)]
pub(super) fn read(ctx: &SkBuffContext) {
    let Ok(packet) = skb::parse(ctx, skb::IP_AT_START) else {
        return;
    };
    if packet.source != PORT {
        return;
    }
    let skb = ctx.skb.skb;
    let whole = messages(ctx, &packet, |at, length| {
        let refused = dns_believe(skb, at, length);
        let outcome = if refused == 0 { dns_learn() } else { refused };
        count(outcome as u32);
    });
    if !whole {
        count(DnsCount::NotWhole.counter());
    }
}

/// Puts the message at `at` on the desk, if somebody waits for it and it is believed. 0, or what to
/// count.
///
/// A global function, as all that reads messages: the verifier walks it once. And one by itself, for
/// the stack has 512 bytes for all that are under way.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn dns_believe(skb: *mut __sk_buff, at: u64, length: u64) -> u64 {
    let ctx = SkBuffContext::new(skb);
    match believe(&ctx, at, length) {
        Ok(()) => 0,
        Err(refused) => u64::from(refused.counter()),
    }
}

#[inline(always)]
fn believe(ctx: &SkBuffContext, at: u64, length: u64) -> Result<(), DnsCount> {
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
            let desk = copy(ctx, at, length)?.as_ptr();
            // SAFETY: the desk is a map value.
            unsafe {
                (*desk).asked = key;
                (*desk).question = question;
                (*desk).workload = workload;
                (*desk).class = u64::from(tag.class.0);
            }
            Ok(())
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

/// Learns from the message on the desk, and tells what to count.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn dns_learn() -> u64 {
    let Some(reading) = Reading::desk() else {
        return u64::from(DnsCount::NoRoom.counter());
    };
    let outcome = match understand(reading) {
        Ok(outcome) => outcome.counter(),
        Err(cause) => DnsCount::unread(cause),
    };
    // SAFETY: the desk is a map value.
    unsafe { (*reading.as_ptr()).busy = 0 };
    u64::from(outcome)
}

#[inline(always)]
fn understand(mut reading: Reading) -> Result<DnsCount, Unread> {
    let desk = reading.as_ptr();
    let head = Head::read(&reading, 0)?;
    if !head.is_response() || !head.is_query_for_one() {
        return Err(Unread::Question);
    }
    let message = reading;
    // Step by step: of a `Result` of two numbers the verifier may meet what it leaves undefined.
    let after = reading.read(HEADER_BYTES)?;
    let kind = message.word(after)?;
    if message.word(after.wrapping_add(2))? != CLASS_INTERNET {
        return Err(Unread::Question);
    }
    let end = after.wrapping_add(4);
    let Some(seed) = seed() else {
        return Ok(DnsCount::Unasked);
    };
    let hash = question_hash(&seed, reading.key().whole, kind);
    // SAFETY: the desk is a map value.
    let (asked, expected) = unsafe { (&(*desk).asked, (*desk).question.hash) };
    // Taking the question away and using it are one step: a second answer finds none.
    if hash != expected || QUESTIONS.remove(asked).is_err() {
        return Ok(DnsCount::Unasked);
    }
    if head.code() != 0 {
        return Ok(DnsCount::NoAddress);
    }
    // SAFETY: the answer and the name that was read lie side by side.
    unsafe { (*desk).answer.begin(reading.key()) };
    read_records(end, head.answers, |at| read_record(&mut reading, at))?;
    // SAFETY: as above.
    let (addresses, ttl, workload, class) = unsafe {
        let answer = &(*desk).answer;
        let class = ClassId((*desk).class as u16);
        (answer.address_count(), answer.ttl, (*desk).workload, class)
    };
    if addresses == 0 {
        return Ok(DnsCount::NoAddress);
    }
    if !keep_names(reading, class) {
        return Ok(DnsCount::NotNamed);
    }
    hold_addresses(addresses, workload, Resolved::until(now_ns(), ttl));
    Ok(DnsCount::Learnt)
}
