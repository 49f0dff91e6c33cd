//! `__sk_buff`: headers, wherever in it the packet starts, and packets of `cgroup_skb`.

mod v4;
mod v6;

use aya_ebpf::{
    bindings::bpf_sock,
    helpers::{bpf_sk_fullsock, bpf_skb_ancestor_cgroup_id, bpf_skb_cgroup_id},
    programs::SkBuffContext,
};
use enforcer_common::{
    abi::{Addr, CgroupId, ClassId, Hook, Port, Ports, Proto},
    verdict::{Fault, Flow},
};

use self::v4::V4Head;
use super::{Context, UNKNOWN};
use crate::names;

/// Where the IP header of a `cgroup_skb` packet is.
pub const IP_AT_START: usize = 0;

/// A packet as far as the verdict needs it.
pub struct Packet {
    /// Destination address.
    pub dst: Addr,
    /// Protocol of the payload.
    pub proto: Proto,
    /// Destination port.
    pub ports: Ports,
    /// Source port; 0 where the packet does not carry one.
    pub source: Port,
    /// Where the payload of the IP packet starts.
    pub payload: usize,
    /// Neighbour or multicast listener discovery that cannot leave the link.
    pub housekeeping: bool,
    /// Where the header that says so is, if this is a fragment; else 0.
    pub fragment: usize,
}

/// Reads the whole header, from where the IP header is.
///
/// # Errors
/// The headers cannot be followed, or send the packet elsewhere than its destination says.
#[inline(always)]
pub fn parse(ctx: &SkBuffContext, ip: usize) -> Result<Packet, Fault> {
    let head = V4Head::read(ctx, ip)?;
    match head.version() {
        4 => v4::parse(ctx, ip, head),
        6 => v6::parse(ctx, ip, head.byte(6)),
        _ => Err(Fault::BadPacket),
    }
}

/// A question about a packet. A trait, for a closure cannot be made to be inlined in two places.
pub trait Question {
    /// Whether it holds.
    fn holds(ctx: &SkBuffContext, packet: &Packet) -> bool;
}

/// Whether the packet has plain headers, no options, extensions or fragments before its ports, and `Q`
/// holds. Asked where the family is known, that takes half of the instructions that it takes after
/// [`parse`].
#[inline(always)]
pub fn is_plain_and<Q: Question>(ctx: &SkBuffContext, ip: usize) -> bool {
    if let Some(packet) = v4::plain(ctx, ip) {
        return Q::holds(ctx, &packet);
    }
    if let Some(packet) = v6::plain(ctx, ip) {
        return Q::holds(ctx, &packet);
    }
    false
}

/// Bytes of an IPv4 header without options (RFC 791, 3.1).
pub const V4_HEADER: usize = 20;
/// Bytes of an IPv6 header (RFC 8200, 3).
pub const V6_HEADER: usize = 40;

/// Where the first `N` bytes of the packet at `ip` are, if they lie in one piece: a helper call for
/// each field would cost more than the verdict.
#[inline(always)]
fn in_place<const N: usize>(ctx: &SkBuffContext, ip: usize) -> Option<InPlace> {
    // SAFETY: the verifier checks every read of the context.
    let (start, end) = unsafe {
        (
            (*ctx.skb.skb).data as usize,
            (*ctx.skb.skb).data_end as usize,
        )
    };
    let start = start + ip;
    (start + N <= end).then_some(InPlace(start))
}

/// The start of bytes of a packet that lie in one piece.
#[derive(Clone, Copy)]
struct InPlace(usize);

impl InPlace {
    /// The word of network order at an offset, as it lies. Rust reads what may not be aligned byte by
    /// byte, which was a third of the instructions of a packet that passes.
    #[inline(always)]
    fn word<const AT: usize>(self) -> u32 {
        let word: u64;
        // SAFETY: the verifier checks that the bytes lie before the end, and knows whether the machine
        // reads words that are not aligned.
        unsafe {
            core::arch::asm!(
                "{0} = *(u32 *)({1} + {2})",
                out(reg) word,
                in(reg) self.0,
                const AT,
                options(pure, readonly, nostack)
            );
        }
        word as u32
    }
}

/// `type` of a `bpf_sock` (socket(2)).
const SOCK_RAW: u32 = 3;

/// The source address.
#[inline(always)]
pub fn source_address(ctx: &SkBuffContext) -> Option<Addr> {
    source(ctx, IP_AT_START).ok()
}

/// The destination address.
#[inline(always)]
pub fn destination_address(ctx: &SkBuffContext) -> Option<Addr> {
    destination(ctx, IP_AT_START).ok()
}

/// Where the payload of the TCP segment at `at` starts (RFC 9293, 3.1).
#[inline(always)]
pub fn tcp_payload(ctx: &SkBuffContext, at: usize) -> Option<usize> {
    let offset: u8 = load(ctx, at + 12).ok()?;
    Some(at + usize::from(offset >> 4) * 4)
}

/// The source alone.
///
/// # Errors
/// There is no IP header.
#[inline(always)]
pub fn source(ctx: &SkBuffContext, ip: usize) -> Result<Addr, Fault> {
    address(ctx, ip, 12, 8)
}

/// The destination alone.
///
/// # Errors
/// There is no IP header.
#[inline(always)]
pub fn destination(ctx: &SkBuffContext, ip: usize) -> Result<Addr, Fault> {
    address(ctx, ip, 16, 24)
}

/// The address at one place of an IPv4 header and another of an IPv6 header.
#[inline(always)]
fn address(ctx: &SkBuffContext, ip: usize, v4: usize, v6: usize) -> Result<Addr, Fault> {
    match load::<u8>(ctx, ip)? >> 4 {
        4 => Ok(Addr::from_v4(load(ctx, ip + v4)?)),
        6 => Ok(Addr::from_v6(load(ctx, ip + v6)?)),
        _ => Err(Fault::BadPacket),
    }
}

/// Sender of an incoming UDP packet, from a header without options: what has any is not remembered.
#[inline(always)]
pub fn udp_sender(ctx: &SkBuffContext) -> Option<(Addr, Port)> {
    let src = source(ctx, IP_AT_START).ok()?;
    let at = match load::<u8>(ctx, 0).ok()? {
        0x45 if load::<u8>(ctx, 9).ok()? == Proto::UDP.0 => V4_HEADER,
        first if first >> 4 == 6 && load::<u8>(ctx, 6).ok()? == Proto::UDP.0 => V6_HEADER,
        _ => return None,
    };
    let port: [u8; 2] = load(ctx, at).ok()?;
    Some((src, Port(u16::from_be_bytes(port))))
}

/// The flow of a packet that [`parse`] refused, for its event.
#[inline(always)]
pub fn unreadable(ctx: &SkBuffContext) -> Flow {
    let dst = destination(ctx, IP_AT_START).unwrap_or(UNKNOWN);
    Flow {
        subject: ctx.cgroup(),
        dst,
        proto: Proto(0),
        ports: Ports::UNKNOWN,
        hook: Hook::Egress,
    }
}

impl Packet {
    /// The flow of an outgoing packet.
    #[inline(always)]
    pub fn flow(&self, ctx: &SkBuffContext) -> Flow {
        Flow {
            subject: ctx.cgroup(),
            dst: self.dst,
            proto: self.proto,
            ports: self.ports,
            hook: Hook::Egress,
        }
    }
}

/// The source port, and what is known of the destination port; `word` is what lies where they would
/// be, as [`load_word`] gives it.
#[inline(always)]
fn ports(proto: Proto, later_fragment: bool, word: u64) -> Result<(Port, Ports), Fault> {
    if later_fragment {
        Ok((Port(0), Ports::UNKNOWN))
    } else if proto.has_ports() {
        if word == UNREADABLE {
            return Err(Fault::BadPacket);
        }
        let [a, b, c, d] = (word as u32).to_ne_bytes();
        let port = |high, low| Port(u16::from_be_bytes([high, low]));
        Ok((port(a, b), Ports::is(port(c, d))))
    } else {
        Ok((Port(0), Ports::ABSENT))
    }
}

/// Fault plus one: 0 is none.
#[inline(always)]
fn faulty(fault: Fault) -> u64 {
    fault as u64 + 1
}

/// Not a word.
const UNREADABLE: u64 = u64::MAX;

/// Four bytes as they lie, or [`UNREADABLE`]: what a `Result` leaves undefined, the verifier may
/// meet.
#[inline(always)]
fn load_word(ctx: &SkBuffContext, at: usize) -> u64 {
    match ctx.load::<[u8; 4]>(at) {
        Ok(bytes) => u64::from(u32::from_ne_bytes(bytes)),
        Err(_) => UNREADABLE,
    }
}

/// Reads what is at one place of the packet.
///
/// # Errors
/// The packet ends before.
#[inline(always)]
pub fn load<T>(ctx: &SkBuffContext, at: usize) -> Result<T, Fault> {
    ctx.load(at).map_err(|_| Fault::BadPacket)
}

impl Context for SkBuffContext {
    #[inline(always)]
    fn cgroup(&self) -> CgroupId {
        // SAFETY: the context is the helper's first argument.
        CgroupId(unsafe { bpf_skb_cgroup_id(self.skb.skb) })
    }

    #[inline(always)]
    fn ancestor(&self, level: i32) -> CgroupId {
        // SAFETY: the context is the helper's first argument.
        CgroupId(unsafe { bpf_skb_ancestor_cgroup_id(self.skb.skb, level) })
    }

    #[inline(always)]
    fn socket(&self) -> *mut bpf_sock {
        // SAFETY: the verifier checks every read of the context and what the helper takes.
        unsafe {
            let socket = (*self.skb.skb).__bindgen_anon_2.sk;
            if socket.is_null() {
                socket
            } else {
                bpf_sk_fullsock(socket)
            }
        }
    }

    #[inline(always)]
    fn local_port(&self) -> Port {
        // SAFETY: the verifier checks every read of the context.
        Port(unsafe { (*self.skb.skb).local_port } as u16)
    }

    #[inline(always)]
    fn source(&self) -> (Addr, Port) {
        let src = source(self, IP_AT_START).unwrap_or(UNKNOWN);
        let socket = self.socket();
        // A raw socket keeps its protocol where others keep the port.
        // SAFETY: the verifier checks every read of the socket.
        let port = if !socket.is_null() && unsafe { (*socket).type_ } == SOCK_RAW {
            Port(0)
        } else {
            self.local_port()
        };
        (src, port)
    }

    #[inline(always)]
    fn bytes(&self) -> u64 {
        u64::from(self.skb.len())
    }

    #[inline(always)]
    fn peer_mask(&self, flow: &Flow, class: ClassId) -> u64 {
        if !flow.proto.has_ports() {
            return 0;
        }
        let (hi, lo) = flow.dst.halves();
        let port = flow.ports.port_or_zero();
        let class_and_port = u64::from(class.0) << 16 | u64::from(port.0);
        names::peer_mask(self.skb.skb, hi, lo, class_and_port)
    }

    #[inline(always)]
    fn keep_peer(&self, flow: &Flow, workload: CgroupId) {
        if flow.proto.has_ports() {
            let (hi, lo) = flow.dst.halves();
            let port = flow.ports.port_or_zero();
            names::keep_peer(self.skb.skb, workload.0, hi, lo, u64::from(port.0));
        }
    }

    #[inline(always)]
    fn process(&self) -> Option<(u32, u32, [u8; 16])> {
        None
    }
}
