//! IPv4 headers, options included.

use aya_ebpf::{bindings::__sk_buff, helpers::bpf_skb_load_bytes, programs::SkBuffContext};
use enforcer_common::{
    abi::{Addr, Proto},
    verdict::Fault,
};

use super::{InPlace, Packet, V4_HEADER, faulty, in_place, load, load_word, ports};

/// Bytes of a header without options and the ports after it.
const V4_HEAD: usize = V4_HEADER + 4;

/// An IPv4 header without options (RFC 791, 3.1), and the ports after it: words as they lie.
#[derive(Clone, Copy)]
pub(super) struct V4Head([u32; V4_HEAD / 4]);

impl V4Head {
    /// The start of a packet, which may be one of IPv6.
    ///
    /// # Errors
    /// It is shorter than its header says.
    #[inline(always)]
    pub(super) fn read(ctx: &SkBuffContext, ip: usize) -> Result<Self, Fault> {
        match in_place::<V4_HEAD>(ctx, ip) {
            Some(start) => Ok(Self::at(start)),
            None => short_head(ctx, ip),
        }
    }

    /// The start of a packet that lies in one piece.
    #[inline(always)]
    pub(super) fn at(start: InPlace) -> Self {
        Self([
            start.word::<0>(),
            start.word::<4>(),
            start.word::<8>(),
            start.word::<12>(),
            start.word::<16>(),
            start.word::<20>(),
        ])
    }

    #[inline(always)]
    pub(super) fn version(self) -> u8 {
        self.byte(0) >> 4
    }

    #[inline(always)]
    pub(super) fn byte(self, at: usize) -> u8 {
        self.0[at / 4].to_ne_bytes()[at % 4]
    }

    /// Flags, and where in the packet the fragment lies.
    #[inline(always)]
    fn fragment(self) -> u16 {
        let [_, _, high, low] = self.0[1].to_ne_bytes();
        u16::from_be_bytes([high, low])
    }

    #[inline(always)]
    fn is_later_fragment(self) -> bool {
        const OFFSET: u16 = 0x1fff;
        self.fragment() & OFFSET != 0
    }

    #[inline(always)]
    fn is_fragment(self) -> bool {
        const MORE_AND_OFFSET: u16 = 0x3fff;
        self.fragment() & MORE_AND_OFFSET != 0
    }
}

/// The head of a packet with nothing after the header, or not in one piece.
#[inline(always)]
fn short_head(ctx: &SkBuffContext, ip: usize) -> Result<V4Head, Fault> {
    let mut head = [0; V4_HEAD / 4];
    // One place for both: the longest program is short of stack.
    // SAFETY: the verifier checks that `head` has room for this many bytes.
    let mut load = |bytes: usize| unsafe {
        bpf_skb_load_bytes(
            ctx.skb.skb.cast(),
            ip as u32,
            head.as_mut_ptr().cast(),
            bytes as u32,
        ) == 0
    };
    if load(V4_HEAD) {
        return Ok(V4Head(head));
    }
    if !load(V4_HEADER) {
        return Err(Fault::BadPacket);
    }
    let head = V4Head(head);
    if Proto(head.byte(9)).has_ports() && !head.is_later_fragment() {
        return Err(Fault::BadPacket);
    }
    Ok(head)
}

/// A packet without options that is whole and has ports.
#[inline(always)]
pub(super) fn plain(ctx: &SkBuffContext, ip: usize) -> Option<Packet> {
    const VERSION_AND_LENGTH: u8 = 0x45;
    let head = V4Head::at(in_place::<V4_HEAD>(ctx, ip)?);
    let has_ports = Proto(head.byte(9)).has_ports();
    if head.byte(0) != VERSION_AND_LENGTH || head.is_fragment() || !has_ports {
        return None;
    }
    packet(head, ip, V4_HEADER, u64::from(head.0[5])).ok()
}

#[inline(always)]
pub(super) fn parse(ctx: &SkBuffContext, ip: usize, head: V4Head) -> Result<Packet, Fault> {
    let header_bytes = usize::from(head.byte(0) & 0xf) * 4;
    if header_bytes < V4_HEADER {
        return Err(Fault::BadPacket);
    }
    if header_bytes > V4_HEADER {
        match option_fault(
            ctx.skb.skb,
            (ip + V4_HEADER) as u64,
            (ip + header_bytes) as u64,
        ) {
            0 => {}
            fault => return Err(Fault::from_byte(fault as u8 - 1)),
        }
    }
    let word = if header_bytes == V4_HEADER {
        u64::from(head.0[5])
    } else {
        load_word(ctx, ip + header_bytes)
    };
    packet(head, ip, header_bytes, word)
}

/// The packet of a header of so many bytes; `word` is what lies after it, as [`load_word`] gives it.
#[inline(always)]
fn packet(head: V4Head, ip: usize, header_bytes: usize, word: u64) -> Result<Packet, Fault> {
    let proto = Proto(head.byte(9));
    let (source, ports) = ports(proto, head.is_later_fragment(), word)?;
    Ok(Packet {
        dst: Addr::from_v4(head.0[4].to_ne_bytes()),
        proto,
        ports,
        source,
        payload: ip + header_bytes,
        housekeeping: false,
        fragment: if head.is_fragment() { ip } else { 0 },
    })
}

/// RFC 791, 3.1: a loose or strict source route makes the destination field the next hop only.
/// The options are from `at` to `end`. 0, or the [`Fault`] plus one.
///
/// A global function, as [`payload_of`] is: the verifier walks its loop once, not once for every way
/// there and on.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn option_fault(skb: *mut __sk_buff, at: u64, end: u64) -> u64 {
    const END: u8 = 0;
    const NOP: u8 = 1;
    const LOOSE: u8 = 131;
    const STRICT: u8 = 137;
    let ctx = SkBuffContext::new(skb);
    let mut at = at as usize;
    // At most forty bytes of options, each at least one byte long.
    for _ in 0..40 {
        if at >= end as usize {
            break;
        }
        let Ok(kind) = load::<u8>(&ctx, at) else {
            return faulty(Fault::BadPacket);
        };
        match kind {
            END => break,
            NOP => at += 1,
            LOOSE | STRICT => return faulty(Fault::SourceRoute),
            _ => {
                let Ok(length @ 2..) = load::<u8>(&ctx, at + 1) else {
                    return faulty(Fault::BadPacket);
                };
                at += usize::from(length);
            }
        }
    }
    0
}
