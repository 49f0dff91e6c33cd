//! Frames past the IP stack.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::AsRawFd,
};

use etherparse::PacketBuilder;
use nix::{
    ifaddrs::{InterfaceAddress, getifaddrs},
    net::if_::InterfaceFlags,
    sys::socket::{LinkAddr, MsgFlags, sendto},
};
use socket2::{Domain, Socket, Type};

use super::{Failure, Options, Step, attempt::Frame, xdp};

pub(super) fn attempt(how: Frame, to: IpAddr, options: &Options) -> Result<bool, Failure> {
    if how == Frame::Xdp {
        let (link, frame) = frame(to, options.marker.as_bytes()).map_err(Step::Socket.failed())?;
        xdp::send(link.ifindex() as u32, &frame).map_err(Step::Send.failed())?;
        return Ok(false);
    }
    let socket = Socket::new(Domain::PACKET, Type::RAW, None).map_err(Step::Socket.failed())?;
    if how == Frame::Bypass {
        bypass_the_queue(&socket).map_err(Step::Socket.failed())?;
    }
    let (link, mut frame) = frame(to, options.marker.as_bytes()).map_err(Step::Socket.failed())?;
    match how {
        Frame::Plain | Frame::Bypass | Frame::Xdp => {}
        // A tag stands before the type: the protocol of tags, and VLAN 5.
        Frame::Vlan => drop(frame.splice(TYPE..TYPE, [0x81, 0x00, 0x00, 0x05])),
        // The type is that of MPLS; the label is 16, the last one, and lives for 64 hops.
        Frame::Mpls => {
            drop(frame.splice(TYPE..TYPE + 2, [0x88, 0x47, 0x00, 0x01, 0x01, 0x40]));
        }
    }
    sendto(socket.as_raw_fd(), &frame, &link, MsgFlags::empty()).map_err(Step::Send.failed())?;
    Ok(false)
}

/// Where the type of an Ethernet frame stands.
const TYPE: usize = 12;

fn bypass_the_queue(socket: &Socket) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the pointer and the length are those of `on`, which outlives the call.
    let status = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_QDISC_BYPASS,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    if status == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The interface to send through, and a UDP datagram in a frame.
fn frame(to: IpAddr, payload: &[u8]) -> io::Result<(LinkAddr, Vec<u8>)> {
    let addresses: Vec<InterfaceAddress> = getifaddrs()?
        .filter(|it| !it.flags.contains(InterfaceFlags::IFF_LOOPBACK))
        .collect();
    let mut links = addresses
        .iter()
        .filter_map(|it| it.address?.as_link_addr().copied());
    let link = links.next().ok_or(io::ErrorKind::NotFound)?;
    // A router passes on nothing that says it comes from nowhere.
    let own = addresses
        .iter()
        .find_map(|it| Some(it.address?.as_sockaddr_in()?.ip()));
    let from_mac = link.addr().ok_or(io::ErrorKind::NotFound)?;
    let builder = PacketBuilder::ethernet2(from_mac, gateway_mac());
    let builder = match to {
        IpAddr::V4(to) => {
            let from = own.unwrap_or(Ipv4Addr::UNSPECIFIED);
            builder.ipv4(from.octets(), to.octets(), 64)
        }
        IpAddr::V6(to) => builder.ipv6(Ipv6Addr::UNSPECIFIED.octets(), to.octets(), 64),
    };
    let mut frame = vec![];
    builder
        .udp(40000, 9)
        .write(&mut frame, payload)
        .map_err(io::Error::other)?;
    Ok((link, frame))
}

/// The only neighbour's hardware address, once it has been spoken to; else everybody's.
fn gateway_mac() -> [u8; 6] {
    let table = fs::read_to_string("/proc/net/arp").unwrap_or_default();
    // IP address, HW type, flags, HW address, mask, device (proc_net(5)).
    let known = table.lines().skip(1).find_map(|line| {
        let mac = line.split_whitespace().nth(3)?;
        let octets: Vec<u8> = mac
            .split(':')
            .map_while(|octet| u8::from_str_radix(octet, 16).ok())
            .collect();
        <[u8; 6]>::try_from(octets)
            .ok()
            .filter(|mac| *mac != [0; 6])
    });
    known.unwrap_or([0xff; 6])
}
