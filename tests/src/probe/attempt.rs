//! Attempts.

mod text;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    path::PathBuf,
};

/// One way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// Connect, send, await the echo.
    Stream {
        /// By which protocol or call.
        how: Stream,
        /// Destination.
        to: SocketAddr,
    },
    /// A TCP connect that io_uring makes.
    Uring {
        /// Destination.
        to: SocketAddr,
    },
    /// Send, await the echo.
    Datagram {
        /// By which protocol or call.
        how: Datagram,
        /// Destination.
        to: SocketAddr,
    },
    /// ICMP or ICMPv6 echo.
    Ping {
        /// Through which socket.
        how: Ping,
        /// Destination.
        to: IpAddr,
    },
    /// A packet of any IP protocol.
    Raw {
        /// Destination.
        to: IpAddr,
        /// IP protocol number.
        proto: u8,
    },
    /// IPv4 with an own header.
    HdrIncl {
        /// Destination.
        to: Ipv4Addr,
        /// First hop of a loose source route.
        via: Option<Ipv4Addr>,
    },
    /// A later fragment.
    Fragment {
        /// Destination.
        to: IpAddr,
    },
    /// UDP behind IPv6 extension headers.
    Options {
        /// Destination.
        to: SocketAddrV6,
    },
    /// IPv6 with a routing header.
    RoutingHeader {
        /// Last segment.
        to: Ipv6Addr,
        /// First segment, and so the destination of the packet.
        via: Ipv6Addr,
    },
    /// A frame past the IP stack.
    Packet {
        /// What is special about it.
        how: Frame,
        /// Destination.
        to: IpAddr,
    },
    /// A packet that a tun device lets in, to be forwarded.
    Tun {
        /// Destination.
        to: Ipv4Addr,
    },
    /// Send through a socket that another process hands over.
    Handed {
        /// A unix socket at which it does.
        at: PathBuf,
    },
    /// Accept one TCP client.
    Listen {
        /// On every address.
        port: u16,
    },
    /// Answer one UDP client.
    UdpListen {
        /// On every address.
        port: u16,
    },
    /// Answer one UDP client when told to.
    UdpLate {
        /// On every address.
        port: u16,
    },
    /// Serve one client, and connect from the socket that served.
    Reuse {
        /// Which socket, and how.
        how: Reuse,
        /// Served on every address.
        port: u16,
        /// Destination.
        to: SocketAddr,
    },
    /// Answer a packet of one's own.
    Spoof {
        /// Which packet.
        how: Spoof,
        /// Where it claims to come from.
        from: SocketAddrV4,
        /// Where it goes.
        own: Ipv4Addr,
    },
    /// A TCP connection that stays.
    Hold {
        /// Destination.
        to: SocketAddr,
    },
    /// A connected UDP socket that stays.
    UdpHold {
        /// Destination.
        to: SocketAddr,
    },
}

/// How a stream is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// An AF_INET TCP socket.
    Tcp4,
    /// An AF_INET6 TCP socket.
    Tcp6,
    /// Multipath TCP (RFC 8684).
    Mptcp,
    /// TCP with the data in the SYN (RFC 7413), and so without connect().
    FastOpen,
    /// SCTP (RFC 9260).
    Sctp,
}

/// How a datagram is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datagram {
    /// `sendto` on an unconnected socket.
    Udp,
    /// `send` on a connected socket.
    Connected,
    /// `sendmmsg` on an unconnected socket.
    Sendmmsg,
    /// 5000 bytes: more than one fragment.
    Big,
    /// UDP-Lite (RFC 3828).
    Lite,
}

/// A frame through a packet socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// An Ethernet frame.
    Plain,
    /// Past the queueing discipline, and so past programs there (packet(7), `PACKET_QDISC_BYPASS`).
    Bypass,
    /// Through AF_XDP in place of a packet socket.
    Xdp,
    /// With a VLAN tag (IEEE 802.1Q).
    Vlan,
    /// With an MPLS label (RFC 3032).
    Mpls,
}

/// How a ping is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ping {
    /// A ping socket (icmp(7)).
    Socket,
    /// A raw socket.
    Raw,
}

/// A server's socket that connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// The one that listened.
    Listener,
    /// The one that was accepted.
    Accepted,
    /// That one, with the data in the SYN.
    AcceptedFastOpen,
}

/// A packet to oneself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoof {
    /// A datagram.
    Udp,
    /// The first of a TCP connection.
    Syn,
}
