//! Questions on their way out.

use aya_ebpf::{bindings::__sk_buff, programs::SkBuffContext};
use enforcer_common::{
    abi::DnsCount,
    names::{
        Bytes, HEADER_BYTES, Head, Question as Asks, Unread, WholeHasher, question_hash, read_name,
    },
};

use super::{asked, messages};
use crate::{
    emit::count,
    flow::{
        Context,
        skb::{self, Packet},
    },
    maps::{ASKERS, QUESTIONS, Question},
    tables::{now_ns, seed},
};

/// Remembers the questions of a packet, if its socket is marked.
#[inline(never)]
pub(super) fn remember(ctx: &SkBuffContext, packet: &Packet) {
    let socket = ctx.socket();
    // SAFETY: the socket is the context's.
    if socket.is_null() || unsafe { ASKERS.of(socket) }.is_null() {
        return;
    }
    let skb = ctx.skb.skb;
    let whole = messages(ctx, packet, |at, length| {
        dns_question(skb, at, length);
    });
    if !whole {
        count(DnsCount::NotWhole.counter());
    }
}

/// A packet's bytes up to an end. Questions are short: a helper call for each byte costs less than
/// finding room for a copy would.
struct Packeted<'a> {
    ctx: &'a SkBuffContext,
    end: u16,
}

impl Bytes for Packeted<'_> {
    #[inline(always)]
    fn byte(&self, at: u16) -> Option<u8> {
        if at >= self.end {
            return None;
        }
        self.ctx.load(usize::from(at)).ok()
    }

    #[inline(always)]
    fn word(&self, at: u16) -> Result<u16, Unread> {
        if at >= self.end - 1 {
            return Err(Unread::Ends);
        }
        let bytes = self.ctx.load(usize::from(at)).map_err(|_| Unread::Ends)?;
        Ok(u16::from_be_bytes(bytes))
    }
}

/// Remembers the question of the message at `at`.
///
/// A global function: the verifier walks it once, whatever calls it. Always returns 0, for it must
/// return a number.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn dns_question(skb: *mut __sk_buff, at: u64, length: u64) -> u64 {
    let ctx = SkBuffContext::new(skb);
    let end = at.saturating_add(length);
    if length < u64::from(HEADER_BYTES) || end > u64::from(u16::MAX) {
        count(DnsCount::unread(Unread::Ends));
        return 0;
    }
    let message = Packeted {
        ctx: &ctx,
        end: end as u16,
    };
    match ask(&message, at as u16) {
        Ok(()) => {}
        Err(cause) => count(DnsCount::unread(cause)),
    }
    0
}

#[inline(always)]
fn ask(message: &Packeted<'_>, at: u16) -> Result<(), Unread> {
    let head = Head::read(message, at)?;
    if head.is_response() || !head.is_query_for_one() {
        return Err(Unread::Question);
    }
    let Some(seed) = seed() else {
        return Ok(());
    };
    let mut hasher = WholeHasher::new(&seed);
    let name = at.wrapping_add(HEADER_BYTES);
    let after = read_name(message, at, name, &seed, &mut hasher)?;
    let Asks { kind, .. } = Asks::after_name(message, after)?;
    let Some(resolver) = skb::destination_address(message.ctx) else {
        return Ok(());
    };
    let question = Question {
        hash: question_hash(&seed, hasher.finish(), kind),
        at_ns: now_ns(),
    };
    let key = asked(message.ctx, resolver, head.id);
    // The oldest questions make room; without memory the answer will not count.
    match QUESTIONS.insert(&key, &question, 0) {
        Ok(()) => count(DnsCount::Asked.counter()),
        Err(_) => count(DnsCount::NoRoom.counter()),
    }
    Ok(())
}
