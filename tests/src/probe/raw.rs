//! Raw IP and ICMP.

use std::{
    io::{self, Read},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    os::fd::AsRawFd,
    time::Instant,
};

use etherparse::{
    IcmpEchoHeader, Icmpv4Header, Icmpv4Type, Icmpv6Header, Icmpv6Type, IpFragOffset, IpNumber,
    Ipv4Header, Ipv4Options, Ipv6FragmentHeader, UdpHeader,
};
use socket2::{Domain, Protocol, Socket, Type};

use super::{Failure, Options, Step, attempt::Ping, udp};

/// The discard service (RFC 863): nobody answers.
const DISCARD: u16 = 9;

pub(super) fn ping(how: Ping, to: IpAddr, options: &Options) -> Result<bool, Failure> {
    let protocol = if to.is_ipv4() {
        Protocol::ICMPV4
    } else {
        Protocol::ICMPV6
    };
    let kind = match how {
        Ping::Socket => Type::DGRAM,
        Ping::Raw => Type::RAW,
    };
    let socket = open(to, kind, protocol)?;
    let marker = options.marker.as_bytes();
    let echo = IcmpEchoHeader { id: 1, seq: 1 };
    let mut packet = match to {
        IpAddr::V4(_) => Icmpv4Header::with_checksum(Icmpv4Type::EchoRequest(echo), marker)
            .to_bytes()
            .to_vec(),
        // The kernel fills the checksum in (RFC 3542, 3.1).
        IpAddr::V6(_) => Icmpv6Header::new(Icmpv6Type::EchoRequest(echo))
            .to_bytes()
            .to_vec(),
    };
    packet.extend_from_slice(marker);
    send(&socket, &packet, to)?;
    Ok(hears_reply(&socket, to, options))
}

/// A raw socket hears every ICMP message of the host, and IPv4 ones with their IP header.
fn hears_reply(mut socket: &Socket, to: IpAddr, options: &Options) -> bool {
    let reply = if to.is_ipv4() { 0 } else { 129 };
    let raw_v4 = to.is_ipv4() && socket.r#type().is_ok_and(|kind| kind == Type::RAW);
    let deadline = Instant::now() + options.timeout;
    let mut buffer = [0; 2048];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || socket.set_read_timeout(Some(left)).is_err() {
            return false;
        }
        let Ok(length) = socket.read(&mut buffer) else {
            return false;
        };
        let header = if raw_v4 {
            usize::from(buffer[0] & 0xf) * 4
        } else {
            0
        };
        let message = buffer.get(header..length).unwrap_or_default();
        if message.first() == Some(&reply) && message.ends_with(options.marker.as_bytes()) {
            return true;
        }
    }
}

pub(super) fn plain(to: IpAddr, proto: u8, options: &Options) -> Result<bool, Failure> {
    let socket = open(to, Type::RAW, Protocol::from(i32::from(proto)))?;
    send(&socket, options.marker.as_bytes(), to)?;
    Ok(false)
}

pub(super) fn own_header(
    to: Ipv4Addr,
    via: Option<Ipv4Addr>,
    options: &Options,
) -> Result<bool, Failure> {
    let marker = options.marker.as_bytes();
    let first_hop = via.unwrap_or(to);
    let mut header = v4_header(first_hop, UdpHeader::LEN + marker.len());
    if via.is_some() {
        // Loose source and record route, pointing at its only address, padded (RFC 791, 3.1).
        let [a, b, c, d] = to.octets();
        header.options = Ipv4Options::from([131, 7, 4, a, b, c, d, 0]);
    }
    let udp = udp_header(DISCARD, marker);
    send_with_header(&header, &[&udp.to_bytes(), marker].concat(), first_hop)
}

fn udp_header(destination_port: u16, payload: &[u8]) -> UdpHeader {
    UdpHeader {
        source_port: 40000,
        destination_port,
        length: (UdpHeader::LEN + payload.len()) as u16,
        // None: the source address is not known before the kernel fills it in.
        checksum: 0,
    }
}

/// Of a first fragment of 64 bytes that nobody has sent.
pub(super) fn fragment(to: IpAddr, options: &Options) -> Result<bool, Failure> {
    let marker = options.marker.as_bytes();
    let offset = IpFragOffset::try_new(8).unwrap_or_default();
    match to {
        IpAddr::V4(to) => {
            let mut header = v4_header(to, marker.len());
            header.identification = 4711;
            header.fragment_offset = offset;
            send_with_header(&header, marker, to)
        }
        IpAddr::V6(_) => {
            let header = Ipv6FragmentHeader::new(IpNumber::UDP, offset, false, 4711);
            let proto = Protocol::from(i32::from(IpNumber::IPV6_FRAGMENTATION_HEADER.0));
            let socket = open(to, Type::RAW, proto)?;
            send(&socket, &[&header.to_bytes(), marker].concat(), to)?;
            Ok(false)
        }
    }
}

/// A raw socket, so that nothing but the packet tells the port.
pub(super) fn behind_options(to: SocketAddrV6, options: &Options) -> Result<bool, Failure> {
    /// Eight bytes: next header (filled in), length, and four bytes of padding (RFC 8200, 4.2).
    const PADDING: [u8; 8] = [0, 0, 1, 4, 0, 0, 0, 0];
    let marker = options.marker.as_bytes();
    let ip = IpAddr::V6(*to.ip());
    let socket = open(ip, Type::RAW, Protocol::UDP)?;
    for header in [libc::IPV6_HOPOPTS, libc::IPV6_DSTOPTS] {
        set_v6_option(&socket, header, &PADDING).map_err(Step::Socket.failed())?;
    }
    send(
        &socket,
        &[&udp_header(to.port(), marker).to_bytes(), marker].concat(),
        ip,
    )?;
    Ok(false)
}

/// The kernel fills in source and checksum (raw(7), IP_HDRINCL).
fn v4_header(to: Ipv4Addr, payload: usize) -> Ipv4Header {
    Ipv4Header {
        total_len: (Ipv4Header::MIN_LEN + payload) as u16,
        time_to_live: 64,
        protocol: IpNumber::UDP,
        destination: to.octets(),
        ..Ipv4Header::default()
    }
}

fn send_with_header(header: &Ipv4Header, payload: &[u8], to: Ipv4Addr) -> Result<bool, Failure> {
    let socket = open(to.into(), Type::RAW, Protocol::from(libc::IPPROTO_RAW))?;
    socket
        .set_header_included_v4(true)
        .map_err(Step::Socket.failed())?;
    send(&socket, &[&header.to_bytes(), payload].concat(), to.into())?;
    Ok(false)
}

pub(super) fn routing_header(
    to: Ipv6Addr,
    via: Ipv6Addr,
    options: &Options,
) -> Result<bool, Failure> {
    let to = SocketAddr::from((to, DISCARD));
    let socket = udp::open(to, Protocol::UDP, options)?;
    set_routing_header(&socket, via).map_err(Step::Socket.failed())?;
    socket
        .send_to(options.marker.as_bytes(), &to.into())
        .map_err(Step::Send.failed())?;
    Ok(false)
}

/// A segment routing header (RFC 8754, 2): the only type that current kernels let anybody set.
fn set_routing_header(socket: &Socket, via: Ipv6Addr) -> io::Result<()> {
    const SEGMENTS: u8 = 2;
    let fixed = [0, SEGMENTS * 2, 4, SEGMENTS - 1, SEGMENTS - 1, 0, 0, 0];
    // Segments stand in reverse; the kernel puts the socket's destination into the last place.
    let header = [&fixed[..], &[0; 16], &via.octets()].concat();
    set_v6_option(socket, libc::IPV6_RTHDR, &header)
}

fn set_v6_option(socket: &Socket, name: libc::c_int, value: &[u8]) -> io::Result<()> {
    // SAFETY: the pointer and the length are those of `value`, which outlives the call.
    let status = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IPV6,
            name,
            value.as_ptr().cast(),
            value.len() as libc::socklen_t,
        )
    };
    if status == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn open(to: IpAddr, kind: Type, protocol: Protocol) -> Result<Socket, Failure> {
    let domain = if to.is_ipv4() {
        Domain::IPV4
    } else {
        Domain::IPV6
    };
    Socket::new(domain, kind, Some(protocol)).map_err(Step::Socket.failed())
}

fn send(socket: &Socket, packet: &[u8], to: IpAddr) -> Result<(), Failure> {
    // A raw IPv6 socket refuses a port other than 0 or its protocol.
    let to = match to {
        IpAddr::V4(v4) => SocketAddr::V4(SocketAddrV4::new(v4, 0)),
        IpAddr::V6(v6) => SocketAddr::from((v6, 0)),
    };
    socket
        .send_to(packet, &to.into())
        .map(drop)
        .map_err(Step::Send.failed())
}
