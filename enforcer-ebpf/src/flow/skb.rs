//! `__sk_buff`: packets of `cgroup_skb`. The packet starts at the IP header.

use aya_ebpf::{
    bindings::bpf_sock,
    helpers::{bpf_sk_fullsock, bpf_skb_ancestor_cgroup_id, bpf_skb_cgroup_id},
    programs::SkBuffContext,
};
use enforcer_common::{
    abi::{Addr, CgroupId, Hook, Port, Ports, Proto},
    verdict::{Fault, Flow},
};

use super::{Context, UNKNOWN};

/// IPv6 extension headers followed before giving up. RFC 8200, 4.1 recommends at most seven.
const MAX_EXTENSIONS: u32 = 8;

/// A packet as far as the verdict and replies need it.
pub struct Packet {
    /// Source address.
    pub src: Addr,
    /// Destination address.
    pub dst: Addr,
    /// Protocol of the payload.
    pub proto: Proto,
    /// Destination port.
    pub ports: Ports,
    /// Source port; 0 where there is none.
    pub src_port: Port,
    /// Neighbour or multicast listener discovery that cannot leave the link.
    pub housekeeping: bool,
}

/// Reads the whole header.
///
/// # Errors
/// The headers cannot be followed, or send the packet elsewhere than its destination says.
#[inline(always)]
pub fn parse(ctx: &SkBuffContext) -> Result<Packet, Fault> {
    let first: u8 = load(ctx, 0)?;
    match first >> 4 {
        4 => parse_v4(ctx, first),
        6 => parse_v6(ctx),
        _ => Err(Fault::BadPacket),
    }
}

/// Source and destination alone.
#[inline(always)]
fn addresses(ctx: &SkBuffContext) -> Result<(Addr, Addr), Fault> {
    match load::<u8>(ctx, 0)? >> 4 {
        4 => Ok((Addr::from_v4(load(ctx, 12)?), Addr::from_v4(load(ctx, 16)?))),
        6 => Ok((Addr::from_v6(load(ctx, 8)?), Addr::from_v6(load(ctx, 24)?))),
        _ => Err(Fault::BadPacket),
    }
}

/// The flow of a packet that [`parse`] refused, for its event.
#[inline(always)]
pub fn unreadable(ctx: &SkBuffContext) -> Flow {
    let (_, dst) = addresses(ctx).unwrap_or((UNKNOWN, UNKNOWN));
    Flow {
        subject: ctx.cgroup(),
        dst,
        proto: Proto(0),
        ports: Ports::Unknown,
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

    #[inline(always)]
    fn with_ports(mut self, ctx: &SkBuffContext, at: usize, fragment: bool) -> Result<Self, Fault> {
        if fragment {
            self.ports = Ports::Unknown;
        } else if self.proto.has_ports() {
            let [a, b, c, d]: [u8; 4] = load(ctx, at)?;
            self.src_port = Port(u16::from_be_bytes([a, b]));
            self.ports = Ports::Is(Port(u16::from_be_bytes([c, d])));
        }
        Ok(self)
    }
}

#[inline(always)]
fn parse_v4(ctx: &SkBuffContext, first: u8) -> Result<Packet, Fault> {
    const FRAGMENT_OFFSET: u16 = 0x1fff;
    let header_bytes = usize::from(first & 0xf) * 4;
    if header_bytes < 20 {
        return Err(Fault::BadPacket);
    }
    if header_bytes > 20 {
        refuse_source_route(ctx, header_bytes)?;
    }
    let fragment = u16::from_be_bytes(load(ctx, 6)?) & FRAGMENT_OFFSET != 0;
    let packet = Packet {
        src: Addr::from_v4(load(ctx, 12)?),
        dst: Addr::from_v4(load(ctx, 16)?),
        proto: Proto(load(ctx, 9)?),
        ports: Ports::Absent,
        src_port: Port(0),
        housekeeping: false,
    };
    packet.with_ports(ctx, header_bytes, fragment)
}

/// RFC 791, 3.1: a loose or strict source route makes the destination field the next hop only.
#[inline(always)]
fn refuse_source_route(ctx: &SkBuffContext, header_bytes: usize) -> Result<(), Fault> {
    const END: u8 = 0;
    const NOP: u8 = 1;
    const LOOSE: u8 = 131;
    const STRICT: u8 = 137;
    let mut at = 20;
    // At most forty bytes of options, each at least one byte long.
    for _ in 0..40 {
        if at >= header_bytes {
            return Ok(());
        }
        let kind: u8 = load(ctx, at)?;
        match kind {
            END => return Ok(()),
            NOP => at += 1,
            LOOSE | STRICT => return Err(Fault::SourceRoute),
            _ => {
                let length: u8 = load(ctx, at + 1)?;
                if length < 2 {
                    return Err(Fault::BadPacket);
                }
                at += usize::from(length);
            }
        }
    }
    Ok(())
}

#[inline(always)]
fn parse_v6(ctx: &SkBuffContext) -> Result<Packet, Fault> {
    const HOP_BY_HOP: u8 = 0;
    const ROUTING: u8 = 43;
    const FRAGMENT: u8 = 44;
    const AUTHENTICATION: u8 = 51;
    const DESTINATION: u8 = 60;
    let mut packet = Packet {
        src: Addr::from_v6(load(ctx, 8)?),
        dst: Addr::from_v6(load(ctx, 24)?),
        proto: Proto(load(ctx, 6)?),
        ports: Ports::Absent,
        src_port: Port(0),
        housekeeping: false,
    };
    let mut at = 40usize;
    for _ in 0..MAX_EXTENSIONS {
        match packet.proto.0 {
            HOP_BY_HOP | DESTINATION => {
                let [next, length]: [u8; 2] = load(ctx, at)?;
                packet.proto = Proto(next);
                at += (usize::from(length) + 1) * 8;
            }
            AUTHENTICATION => {
                // RFC 4302, 2.2: counted in words, minus two.
                let [next, length]: [u8; 2] = load(ctx, at)?;
                packet.proto = Proto(next);
                at += (usize::from(length) + 2) * 4;
            }
            FRAGMENT => {
                let [next, _, high, low]: [u8; 4] = load(ctx, at)?;
                packet.proto = Proto(next);
                at += 8;
                if u16::from_be_bytes([high, low]) >> 3 != 0 {
                    return packet.with_ports(ctx, at, true);
                }
            }
            ROUTING => return Err(Fault::RoutingHeader),
            _ => {
                packet.housekeeping = is_housekeeping(ctx, &packet, at);
                return packet.with_ports(ctx, at, false);
            }
        }
    }
    Err(Fault::BadPacket)
}

/// Neighbour discovery (RFC 4861, types 133 to 137) and multicast listener discovery (RFC 2710,
/// RFC 3810, types 130 to 132 and 143), as long as the destination is on the link.
#[inline(always)]
fn is_housekeeping(ctx: &SkBuffContext, packet: &Packet, at: usize) -> bool {
    if packet.proto != Proto::ICMPV6 {
        return false;
    }
    let octets = packet.dst.octets();
    let link_local = octets[0] == 0xfe && octets[1] & 0xc0 == 0x80;
    let link_multicast = octets[0] == 0xff && octets[1] & 0xf == 2;
    let kind: u8 = load(ctx, at).unwrap_or(0);
    (link_local || link_multicast) && matches!(kind, 130..=137 | 143)
}

#[inline(always)]
fn load<T>(ctx: &SkBuffContext, at: usize) -> Result<T, Fault> {
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
        let (src, _) = addresses(self).unwrap_or((UNKNOWN, UNKNOWN));
        (src, self.local_port())
    }

    #[inline(always)]
    fn bytes(&self) -> u64 {
        u64::from(self.skb.len())
    }

    #[inline(always)]
    fn process(&self) -> Option<(u32, u32, [u8; 16])> {
        None
    }
}
