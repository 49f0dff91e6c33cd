//! Frames at the host's end of a workload's interface: an Ethernet header, then the packet.

use core::ffi::c_void;

use aya_ebpf::{EbpfContext, bindings::bpf_sock, programs::SkBuffContext};
use enforcer_common::{
    abi::{Addr, CgroupId, ClassId, Hook, Port, Ports, Proto},
    verdict::{Fault, Flow},
};

use super::{
    Context, UNKNOWN,
    skb::{self, Packet, load},
};
use crate::{
    conversations,
    maps::{DEVICES, FRAGMENTS, FirstFragment, FragmentedPacket},
    names,
    tables::{DEEPEST_TAG, now_ns},
};

/// The IP header follows destination, source and type (IEEE 802.3).
const IP: usize = 14;
/// IEEE 802 numbers of what a frame carries.
const ETH_P_IP: u16 = 0x0800;
const ETH_P_ARP: u16 = 0x0806;
const ETH_P_IPV6: u16 = 0x86dd;
/// How long a packet's fragments are waited for (RFC 791, 3.2; Linux `ipfrag_time`).
const REASSEMBLY_NS: u64 = 30_000_000_000;

/// Which way a frame goes, seen from the workload.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Out of its interface.
    Out,
    /// Into it.
    In,
}

/// A frame of a workload.
pub struct Frame<'a> {
    skb: &'a SkBuffContext,
    /// The workload.
    pub cgroup: CgroupId,
    /// The packet's source port, or the identifier of a ping; 0 where there is none.
    pub src_port: Port,
    /// It opens a TCP connection.
    pub opens: bool,
}

impl<'a> Frame<'a> {
    /// `None` where the interface is no workload's.
    #[inline(always)]
    pub fn new(skb: &'a SkBuffContext) -> Option<Self> {
        // SAFETY: the verifier checks every read of the context; the daemon writes the value whole.
        let cgroup = *unsafe { DEVICES.get((*skb.skb.skb).ifindex) }?;
        Some(Self {
            skb,
            cgroup,
            src_port: Port(0),
            opens: false,
        })
    }

    /// Reads all headers.
    ///
    /// # Errors
    /// The frame is neither IP nor ARP, or [`skb::parse`] fails.
    #[inline(always)]
    pub fn read(&mut self, way: Way) -> Result<Packet, Fault> {
        // SAFETY: the verifier checks every read of the context.
        let (protocol, tagged) = unsafe {
            (
                (*self.skb.skb.skb).protocol,
                (*self.skb.skb.skb).vlan_present,
            )
        };
        if tagged != 0 {
            return Err(Fault::NotIp);
        }
        let version = match u16::from_be(protocol as u16) {
            ETH_P_ARP => return Ok(ARP),
            ETH_P_IP => 4,
            ETH_P_IPV6 => 6,
            _ => return Err(Fault::NotIp),
        };
        if load::<u8>(self.skb, IP)? >> 4 != version {
            return Err(Fault::BadPacket);
        }
        let mut packet = skb::parse(self.skb, IP)?;
        if packet.dst.is_loopback() {
            // RFC 1122, 3.2.1.3: it must not be seen outside of a host. A host with route_localnet
            // would take it for its own.
            return Err(Fault::BadPacket);
        }
        if packet.fragment != 0 && packet.ports == Ports::UNKNOWN {
            self.recall_first_fragment(&mut packet);
        } else {
            self.read_payload(&mut packet, way)?;
            if packet.fragment != 0 && way == Way::Out {
                self.remember_first_fragment(&packet);
            }
        }
        Ok(packet)
    }

    #[inline(always)]
    fn read_payload(&mut self, packet: &mut Packet, way: Way) -> Result<(), Fault> {
        const SYN: u8 = 2;
        const ACK: u8 = 16;
        if packet.proto.has_ports() {
            self.src_port = packet.source;
            if packet.proto == Proto::TCP {
                let flags: u8 = load(self.skb, packet.payload + 13)?;
                self.opens = flags & (SYN | ACK) == SYN;
            }
        } else if matches!(packet.proto, Proto::ICMP | Proto::ICMPV6) {
            self.read_icmp(packet, way)?;
        }
        Ok(())
    }

    /// An error is judged as the flow that it is about. Of pings, those that an asker expects are
    /// known by their identifier.
    #[inline(always)]
    fn read_icmp(&mut self, packet: &mut Packet, way: Way) -> Result<(), Fault> {
        /// Where the quoted packet starts (RFC 792; RFC 4443, 3).
        const QUOTE: usize = 8;
        let kind: u8 = load(self.skb, packet.payload)?;
        let [error, ping] = match (packet.proto, way) {
            (Proto::ICMP, Way::Out) => [matches!(kind, 3 | 11 | 12), kind == 0],
            (Proto::ICMP, Way::In) => [false, kind == 8],
            (_, Way::Out) => [matches!(kind, 1..=4), kind == 129],
            (_, Way::In) => [false, kind == 128],
        };
        if ping {
            self.src_port = Port(u16::from_be_bytes(load(self.skb, packet.payload + 4)?));
        }
        self.opens = way == Way::In && ping;
        if error
            && let Some((proto, remote, local)) =
                quoted(self.skb, packet.payload + QUOTE, packet.dst)
        {
            packet.proto = proto;
            packet.ports = Ports::is(remote);
            self.src_port = local;
        }
        Ok(())
    }

    /// A later fragment goes where the first one went: the same address, and so the same port.
    #[inline(always)]
    fn recall_first_fragment(&mut self, packet: &mut Packet) {
        let Some(key) = self.fragmented(packet) else {
            return;
        };
        // SAFETY: the value is copied; one that changes meanwhile is that of another packet of the
        // same identity, which the workload sent as well.
        let Some(first) = (unsafe { FRAGMENTS.get(&key) }) else {
            return;
        };
        if now_ns().wrapping_sub(first.at_ns) < REASSEMBLY_NS {
            packet.proto = first.proto;
            packet.ports = if first.proto.has_ports() {
                Ports::is(first.dst_port)
            } else {
                Ports::ABSENT
            };
            self.src_port = first.src_port;
        }
    }

    #[inline(always)]
    fn remember_first_fragment(&self, packet: &Packet) {
        let Some(key) = self.fragmented(packet) else {
            return;
        };
        let first = FirstFragment {
            at_ns: now_ns(),
            src_port: self.src_port,
            dst_port: packet.ports.port_or_zero(),
            proto: packet.proto,
            reserved: [0; 3],
        };
        // Fails only for want of memory; later fragments are then judged without a port.
        let _judged_without_port = FRAGMENTS.insert(&key, &first, 0);
    }

    #[inline(always)]
    fn fragmented(&self, packet: &Packet) -> Option<FragmentedPacket> {
        let (id, proto) = if packet.fragment == IP {
            let id: [u8; 2] = load(self.skb, IP + 4).ok()?;
            (
                u32::from(u16::from_be_bytes(id)),
                load(self.skb, IP + 9).ok()?,
            )
        } else {
            (load(self.skb, packet.fragment + 4).ok()?, 0)
        };
        Some(FragmentedPacket {
            cgroup: self.cgroup,
            src: skb::source(self.skb, IP).ok()?,
            dst: packet.dst,
            id,
            proto: Proto(proto),
            reserved: [0; 3],
        })
    }

    /// The flow of a frame that comes out.
    #[inline(always)]
    pub fn flow(&self, packet: &Packet) -> Flow {
        Flow {
            subject: self.cgroup,
            dst: packet.dst,
            proto: packet.proto,
            ports: packet.ports,
            hook: Hook::Device,
        }
    }

    /// The flow of a frame that [`Frame::read`] refused, for its event.
    #[inline(always)]
    pub fn unreadable(&self) -> Flow {
        Flow {
            subject: self.cgroup,
            dst: skb::destination(self.skb, IP).unwrap_or(UNKNOWN),
            proto: Proto(0),
            ports: Ports::UNKNOWN,
            hook: Hook::Device,
        }
    }

    /// Source of the packet.
    ///
    /// # Errors
    /// There is no IP header.
    #[inline(always)]
    pub fn src(&self) -> Result<Addr, Fault> {
        skb::source(self.skb, IP)
    }

    /// Gives the packet a mark. That of its socket is gone: the kernel takes it away when a packet
    /// changes its network namespace (net/core/skbuff.c, `skb_scrub_packet`).
    #[inline(always)]
    pub fn set_mark(&self, mark: u32) {
        // SAFETY: the verifier checks every access to the context.
        unsafe { (*self.skb.skb.skb).mark = mark };
    }

    /// Whether a socket of this workload sent it.
    #[inline(always)]
    fn is_sent_by_own(&self, sender: CgroupId) -> bool {
        if sender == self.cgroup {
            return true;
        }
        for level in 1..=DEEPEST_TAG {
            if self.skb.ancestor(level) == self.cgroup {
                return true;
            }
        }
        false
    }

    /// Whether it came in by the interface that it is going out by: the workload may have written it
    /// itself.
    #[inline(always)]
    pub fn returns(&self) -> bool {
        // SAFETY: the verifier checks every read of the context.
        unsafe { (*self.skb.skb.skb).ingress_ifindex == (*self.skb.skb.skb).ifindex }
    }
}

/// Address resolution cannot leave the link.
const ARP: Packet = Packet {
    dst: UNKNOWN,
    proto: Proto(0),
    ports: Ports::ABSENT,
    source: Port(0),
    housekeeping: true,
    payload: 0,
    fragment: 0,
};

/// Protocol, source port and destination port of a packet that came from `remote` and that an ICMP
/// error quotes at `at`. `None` for one with options or from elsewhere.
#[inline(always)]
fn quoted(skb: &SkBuffContext, at: usize, remote: Addr) -> Option<(Proto, Port, Port)> {
    let (proto, payload) = match load::<u8>(skb, at).ok()? {
        0x45 => (Proto(load(skb, at + 9).ok()?), at + skb::V4_HEADER),
        first if first >> 4 == 6 => (Proto(load(skb, at + 6).ok()?), at + skb::V6_HEADER),
        _ => return None,
    };
    if skb::source(skb, at).ok()? != remote || !proto.has_ports() {
        return None;
    }
    let [a, b, c, d]: [u8; 4] = load(skb, payload).ok()?;
    let port = |high, low| Port(u16::from_be_bytes([high, low]));
    Some((proto, port(a, b), port(c, d)))
}

impl EbpfContext for Frame<'_> {
    fn as_ptr(&self) -> *mut c_void {
        self.skb.as_ptr()
    }
}

impl Context for Frame<'_> {
    #[inline(always)]
    fn cgroup(&self) -> CgroupId {
        self.cgroup
    }

    /// The cgroup of an interface has a tag of its own.
    #[inline(always)]
    fn ancestor(&self, _level: i32) -> CgroupId {
        CgroupId(0)
    }

    /// The socket of a frame, if it has one, says nothing of where the frame goes.
    #[inline(always)]
    fn socket(&self) -> *mut bpf_sock {
        core::ptr::null_mut()
    }

    #[inline(always)]
    fn local_port(&self) -> Port {
        self.src_port
    }

    #[inline(always)]
    fn source(&self) -> (Addr, Port) {
        (self.src().unwrap_or(UNKNOWN), self.src_port)
    }

    #[inline(always)]
    fn bytes(&self) -> u64 {
        u64::from(self.skb.skb.len()).saturating_sub(IP as u64)
    }

    #[inline(always)]
    fn process(&self) -> Option<(u32, u32, [u8; 16])> {
        None
    }

    #[inline(always)]
    fn is_reply(&self, flow: &Flow) -> bool {
        conversations::is_reply(self, flow)
    }

    /// Names are held by the cgroup that asked for them, a container's below the pod's. A socket tells
    /// which that is: it crosses from one end of a veth to the other. What has none, or one from
    /// elsewhere, has the names that the workload itself holds.
    #[inline(always)]
    fn names(&self, flow: &Flow, class: ClassId) -> u64 {
        let sender = self.skb.cgroup();
        let subject = if sender.0 != 0 && self.is_sent_by_own(sender) {
            sender
        } else {
            self.cgroup
        };
        let sent = Flow {
            subject,
            hook: Hook::Egress,
            ..*flow
        };
        names::of(self.skb, &sent, class)
    }
}
