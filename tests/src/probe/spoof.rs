//! Packets to oneself that pretend to come from elsewhere: may one then answer there?

use std::{
    io,
    net::{Ipv4Addr, SocketAddrV4, TcpListener, UdpSocket},
};

use etherparse::{PacketBuilder, err::packet::BuildWriteError};
use socket2::{Domain, Protocol, Socket, Type};

use super::{Failure, Options, Step};

/// A datagram from `from` to a socket at `own`, which then answers it.
pub(super) fn udp(from: SocketAddrV4, own: Ipv4Addr, options: &Options) -> Result<bool, Failure> {
    let bound = || {
        let socket = UdpSocket::bind((own, 0))?;
        socket.set_read_timeout(Some(options.timeout))?;
        Ok::<_, io::Error>((socket.local_addr()?.port(), socket))
    };
    let (port, socket) = bound().map_err(Step::Socket.failed())?;
    let marker = options.marker.as_bytes();
    let mut packet = vec![];
    PacketBuilder::ipv4(from.ip().octets(), own.octets(), 64)
        .udp(from.port(), port)
        .write(&mut packet, marker)
        .map_err(unwritten)?;
    send(&packet, own)?;
    let mut buffer = [0; 2048];
    let (_, sender) = socket
        .recv_from(&mut buffer)
        .map_err(Step::Accept.failed())?;
    socket
        .send_to(marker, sender)
        .map_err(Step::Send.failed())?;
    Ok(false)
}

/// A SYN from `from` to a listener at `own`, which the kernel answers.
pub(super) fn syn(from: SocketAddrV4, own: Ipv4Addr) -> Result<bool, Failure> {
    let bound = || {
        let listener = TcpListener::bind((own, 0))?;
        Ok::<_, io::Error>((listener.local_addr()?.port(), listener))
    };
    let (port, _listener) = bound().map_err(Step::Socket.failed())?;
    let mut packet = vec![];
    PacketBuilder::ipv4(from.ip().octets(), own.octets(), 64)
        .tcp(from.port(), port, 1, 65535)
        .syn()
        .write(&mut packet, &[])
        .map_err(unwritten)?;
    send(&packet, own)?;
    Ok(false)
}

/// It goes over loopback, and has been answered when this returns.
fn send(packet: &[u8], own: Ipv4Addr) -> Result<(), Failure> {
    let raw = || {
        Socket::new(
            Domain::IPV4,
            Type::RAW,
            Some(Protocol::from(libc::IPPROTO_RAW)),
        )
    };
    let socket = raw().map_err(Step::Socket.failed())?;
    socket
        .send_to(packet, &SocketAddrV4::new(own, 0).into())
        .map(drop)
        .map_err(Step::Send.failed())
}

fn unwritten(error: BuildWriteError) -> Failure {
    Step::Socket.failed()(io::Error::other(error))
}
