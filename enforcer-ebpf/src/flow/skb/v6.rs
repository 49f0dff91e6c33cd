//! IPv6 headers, extensions included.

use aya_ebpf::{bindings::__sk_buff, programs::SkBuffContext};
use enforcer_common::{
    abi::{Addr, Proto},
    verdict::Fault,
};

use super::{Packet, UNREADABLE, V6_HEADER, faulty, in_place, load, load_word, ports};
use crate::flow::v6;

/// Extension headers followed before giving up. RFC 8200, 4.1 recommends at most seven.
const MAX_EXTENSIONS: u32 = 8;

/// Bytes of the header and the ports after it.
const V6_HEAD: usize = V6_HEADER + 4;

/// Where an IPv6 packet's payload starts, and what it is.
struct Payload {
    proto: Proto,
    at: usize,
    later_fragment: bool,
    /// Where the fragment header is, or 0.
    fragment: usize,
}

impl Payload {
    #[inline(always)]
    fn pack(&self) -> u64 {
        u64::from(self.proto.0) << 8
            | (self.at as u64 & 0xffff) << 16
            | u64::from(self.later_fragment) << 32
            | (self.fragment as u64 & 0xffff) << 48
    }

    /// `Err` when [`payload_of`] found a fault.
    #[inline(always)]
    fn unpack(double: u64) -> Result<Self, Fault> {
        match double as u8 {
            0 => Ok(Self {
                proto: Proto((double >> 8) as u8),
                at: (double >> 16) as usize & 0xffff,
                later_fragment: double >> 32 & 1 == 1,
                fragment: (double >> 48) as usize,
            }),
            fault => Err(Fault::from_byte(fault - 1)),
        }
    }
}

/// Follows the extension headers from `at`, which next-header value `proto` names, on. A packed
/// [`Payload`], or the fault plus one.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn payload_of(skb: *mut __sk_buff, proto: u64, at: u64) -> u64 {
    const HOP_BY_HOP: u8 = 0;
    const ROUTING: u8 = 43;
    const FRAGMENT: u8 = 44;
    const AUTHENTICATION: u8 = 51;
    const DESTINATION: u8 = 60;
    let ctx = SkBuffContext::new(skb);
    let mut payload = Payload {
        proto: Proto(proto as u8),
        at: at as usize,
        later_fragment: false,
        fragment: 0,
    };
    for _ in 0..MAX_EXTENSIONS {
        match payload.proto.0 {
            HOP_BY_HOP | DESTINATION | AUTHENTICATION | FRAGMENT => {}
            ROUTING => return faulty(Fault::RoutingHeader),
            _ => return payload.pack(),
        }
        let word = load_word(&ctx, payload.at);
        if word == UNREADABLE {
            return faulty(Fault::BadPacket);
        }
        let [next, length, high, low] = (word as u32).to_ne_bytes();
        payload.at += match payload.proto.0 {
            // RFC 4302, 2.2: counted in words, minus two.
            AUTHENTICATION => (usize::from(length) + 2) * 4,
            FRAGMENT => 8,
            _ => (usize::from(length) + 1) * 8,
        };
        let fragment = payload.proto.0 == FRAGMENT;
        payload.proto = Proto(next);
        if fragment {
            payload.fragment = payload.at - 8;
            if u16::from_be_bytes([high, low]) >> 3 != 0 {
                payload.later_fragment = true;
                return payload.pack();
            }
        }
    }
    faulty(Fault::BadPacket)
}

/// A packet without extension headers, in one piece, that has ports.
#[inline(always)]
pub(super) fn plain(ctx: &SkBuffContext, ip: usize) -> Option<Packet> {
    let start = in_place::<V6_HEAD>(ctx, ip)?;
    if start.word::<0>().to_ne_bytes()[0] >> 4 != 6 {
        return None;
    }
    let [_, _, next, _] = start.word::<4>().to_ne_bytes();
    let proto = Proto(next);
    if !proto.has_ports() {
        return None;
    }
    let dst = [
        start.word::<24>(),
        start.word::<28>(),
        start.word::<32>(),
        start.word::<36>(),
    ];
    let word = u64::from(start.word::<V6_HEADER>());
    let (source, ports) = ports(proto, false, word).ok()?;
    Some(Packet {
        dst: v6(dst),
        proto,
        ports,
        source,
        payload: ip + V6_HEADER,
        housekeeping: false,
        fragment: 0,
    })
}

#[inline(always)]
pub(super) fn parse(ctx: &SkBuffContext, ip: usize, next: u8) -> Result<Packet, Fault> {
    if let Some(packet) = plain(ctx, ip) {
        return Ok(packet);
    }
    let payload = Payload::unpack(payload_of(
        ctx.skb.skb,
        u64::from(next),
        (ip + V6_HEADER) as u64,
    ))?;
    let Payload {
        proto,
        at,
        later_fragment,
        fragment,
    } = payload;
    let dst = Addr::from_v6(load(ctx, ip + 24)?);
    let (source, ports) = ports(proto, later_fragment, load_word(ctx, at))?;
    Ok(Packet {
        dst,
        proto,
        ports,
        source,
        payload: at,
        housekeeping: !later_fragment && is_housekeeping(ctx, dst, proto, at),
        fragment,
    })
}

/// Neighbour discovery (RFC 4861, types 133 to 137) and multicast listener discovery (RFC 2710,
/// RFC 3810, types 130 to 132 and 143), as long as the destination is on the link.
#[inline(always)]
fn is_housekeeping(ctx: &SkBuffContext, dst: Addr, proto: Proto, at: usize) -> bool {
    if proto != Proto::ICMPV6 {
        return false;
    }
    let octets = dst.octets();
    let link_local = octets[0] == 0xfe && octets[1] & 0xc0 == 0x80;
    let link_multicast = octets[0] == 0xff && octets[1] & 0xf == 2;
    let kind: u8 = load(ctx, at).unwrap_or(0);
    (link_local || link_multicast) && matches!(kind, 130..=137 | 143)
}
