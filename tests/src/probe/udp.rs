//! Datagrams.

use std::{
    io::{self, IoSlice},
    net::SocketAddr,
    os::fd::AsRawFd,
};

use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, sendmmsg};
use socket2::{Domain, Protocol, Socket, Type};

use super::{Failure, Options, Step, attempt::Datagram};

pub(super) fn attempt(how: Datagram, to: SocketAddr, options: &Options) -> Result<bool, Failure> {
    let protocol = match how {
        Datagram::Lite => Protocol::UDPLITE,
        Datagram::Udp | Datagram::Connected | Datagram::Sendmmsg | Datagram::Big => Protocol::UDP,
    };
    let socket = open(to, protocol, options)?;
    let mut payload = options.marker.clone().into_bytes();
    let sent = match how {
        Datagram::Udp | Datagram::Lite => socket.send_to(&payload, &to.into()).map(drop),
        Datagram::Big => {
            payload.resize(5000, b'.');
            socket.send_to(&payload, &to.into()).map(drop)
        }
        Datagram::Sendmmsg => send_two(&socket, &payload, to),
        Datagram::Connected => {
            socket.connect(&to.into()).map_err(Step::Connect.failed())?;
            socket.send(&payload).map(drop)
        }
    };
    sent.map_err(Step::Send.failed())?;
    Ok(hears(&socket, &payload))
}

/// A datagram socket whose waits all end.
pub(super) fn open(
    to: SocketAddr,
    protocol: Protocol,
    options: &Options,
) -> Result<Socket, Failure> {
    let open = || {
        let socket = Socket::new(Domain::for_address(to), Type::DGRAM, Some(protocol))?;
        socket.set_read_timeout(Some(options.timeout))?;
        Ok::<_, io::Error>(socket)
    };
    open().map_err(Step::Socket.failed())
}

/// Whether the payload comes back.
pub(super) fn hears(mut socket: &Socket, payload: &[u8]) -> bool {
    let mut buffer = vec![0; payload.len()];
    let heard = io::Read::read(&mut socket, &mut buffer);
    heard.is_ok_and(|length| &buffer[..length] == payload)
}

fn send_two(socket: &Socket, payload: &[u8], to: SocketAddr) -> io::Result<()> {
    let to = SockaddrStorage::from(to);
    let payloads = [[IoSlice::new(payload)], [IoSlice::new(payload)]];
    let mut headers = MultiHeaders::preallocate(payloads.len(), None);
    let sent = sendmmsg(
        socket.as_raw_fd(),
        &mut headers,
        &payloads,
        [Some(to), Some(to)],
        [],
        MsgFlags::empty(),
    )?;
    match sent.count() {
        0 => Err(io::ErrorKind::WriteZero.into()),
        _ => Ok(()),
    }
}
