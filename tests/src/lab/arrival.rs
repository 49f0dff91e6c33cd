//! One frame on the link.

use std::net::IpAddr;

use etherparse::{LaxNetSlice, LaxSlicedPacket, TransportSlice};

/// One frame that came over the link from the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Destination in the IP header; `None` when the frame is not IP.
    pub dst: Option<IpAddr>,
    /// IP protocol after extension headers.
    pub proto: Option<u8>,
    /// Differentiated services code point (RFC 2474); `None` when the frame is not IP.
    pub dscp: Option<u8>,
    /// Destination port, where the frame has one.
    pub port: Option<u16>,
    /// The whole frame, link header included.
    pub frame: Vec<u8>,
}

impl Arrival {
    /// Whether `marker` is anywhere in the frame.
    #[must_use]
    pub fn carries(&self, marker: &str) -> bool {
        self.frame
            .windows(marker.len())
            .any(|window| window == marker.as_bytes())
    }

    /// What an Ethernet frame is, as far as it can be followed.
    pub(super) fn parse(frame: &[u8]) -> Self {
        let packet = LaxSlicedPacket::from_ethernet(frame).ok();
        let (dst, proto, dscp) = match packet.as_ref().and_then(|packet| packet.net.as_ref()) {
            Some(LaxNetSlice::Ipv4(ip)) => {
                let header = ip.header();
                (
                    Some(header.destination_addr().into()),
                    Some(ip.payload().ip_number.0),
                    Some(header.dcp().value()),
                )
            }
            Some(LaxNetSlice::Ipv6(ip)) => {
                let header = ip.header();
                (
                    Some(header.destination_addr().into()),
                    Some(ip.payload().ip_number.0),
                    Some(header.traffic_class() >> 2),
                )
            }
            Some(LaxNetSlice::Arp(_)) | None => (None, None, None),
        };
        let port = match packet.and_then(|packet| packet.transport) {
            Some(TransportSlice::Udp(udp)) => Some(udp.destination_port()),
            Some(TransportSlice::Tcp(tcp)) => Some(tcp.destination_port()),
            Some(
                TransportSlice::Icmpv4(_) | TransportSlice::Icmpv6(_) | TransportSlice::Igmp(_),
            )
            | None => None,
        };
        Self {
            dst,
            proto,
            dscp,
            port,
            frame: frame.to_vec(),
        }
    }
}
