//! Attempts that go on: servers, and connections that stay.

use std::{
    io::{self, BufRead, ErrorKind, Read, Write},
    net::{Ipv6Addr, SocketAddr, SocketAddrV6, TcpStream},
    os::fd::AsFd,
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{Domain, Protocol, Socket, Type};

use super::{Failure, Options, Report, Step, tcp, udp};

/// What stays connected, and where to.
pub(super) enum Held {
    Tcp(SocketAddr),
    Udp(SocketAddr),
}

/// Accepts one client and echoes, one outcome for each echo, until it leaves or is silent for the
/// timeout.
pub(super) fn listen(
    port: u16,
    options: &Options,
    report: &mut Report<'_, impl Write>,
) -> io::Result<()> {
    let listener = match wildcard(Type::STREAM, port, options) {
        Ok(listener) => listener,
        Err(failure) => return report.line(Err(failure)),
    };
    listener.listen(1)?;
    report.ready()?;
    let accepted = wait(&listener, options).and_then(|()| listener.accept());
    let mut stream = match accepted {
        Ok((socket, _)) => TcpStream::from(socket),
        Err(error) => return report.line(Err(Step::Accept.failed()(error))),
    };
    stream.set_read_timeout(Some(options.timeout))?;
    stream.set_write_timeout(Some(options.timeout))?;
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        let sent = stream.write_all(&buffer[..length]);
        report.line(sent.map(|()| true).map_err(Step::Send.failed()))?;
    }
    Ok(())
}

/// Echoes datagrams, one outcome for each, until none comes for the timeout.
pub(super) fn udp_listen(
    port: u16,
    options: &Options,
    report: &mut Report<'_, impl Write>,
) -> io::Result<()> {
    let socket = match wildcard(Type::DGRAM, port, options) {
        Ok(socket) => std::net::UdpSocket::from(socket),
        Err(failure) => return report.line(Err(failure)),
    };
    report.ready()?;
    let mut buffer = [0; 4096];
    while let Ok((length, client)) = socket.recv_from(&mut buffer) {
        let sent = socket.send_to(&buffer[..length], client);
        report.line(sent.map(|_| true).map_err(Step::Send.failed()))?;
    }
    Ok(())
}

/// Waits for one datagram, and answers it when there is a line of input.
pub(super) fn udp_late(
    port: u16,
    options: &Options,
    input: &mut impl BufRead,
    report: &mut Report<'_, impl Write>,
) -> io::Result<()> {
    let socket = match wildcard(Type::DGRAM, port, options) {
        Ok(socket) => std::net::UdpSocket::from(socket),
        Err(failure) => return report.line(Err(failure)),
    };
    report.ready()?;
    let mut buffer = [0; 4096];
    let (length, client) = match socket.recv_from(&mut buffer) {
        Ok(received) => received,
        Err(error) => return report.line(Err(Step::Accept.failed()(error))),
    };
    report.line(Ok(true))?;
    for line in input.lines() {
        line?;
        let sent = socket.send_to(&buffer[..length], client);
        report.line(sent.map(|_| false).map_err(Step::Send.failed()))?;
    }
    Ok(())
}

/// Connects, then sends once for each line of input.
pub(super) fn hold(
    to: Held,
    options: &Options,
    input: &mut impl BufRead,
    report: &mut Report<'_, impl Write>,
) -> io::Result<()> {
    let socket = match connect(to, options) {
        Ok(socket) => socket,
        Err(failure) => return report.line(Err(failure)),
    };
    report.line(Ok(false))?;
    for line in input.lines() {
        line?;
        let sent = (&socket).write_all(options.marker.as_bytes());
        let result = sent.map_err(Step::Send.failed());
        report.line(result.map(|()| udp::hears(&socket, options.marker.as_bytes())))?;
    }
    Ok(())
}

fn connect(held: Held, options: &Options) -> Result<Socket, Failure> {
    let (socket, to) = match held {
        Held::Tcp(to) => (tcp::open(to, Protocol::TCP, options)?, to),
        Held::Udp(to) => (udp::open(to, Protocol::UDP, options)?, to),
    };
    socket
        .connect_timeout(&to.into(), options.timeout)
        .map_err(Step::Connect.failed())?;
    Ok(socket)
}

pub(super) fn wildcard(kind: Type, port: u16, options: &Options) -> Result<Socket, Failure> {
    let open = || {
        let socket = Socket::new(Domain::IPV6, kind, None)?;
        socket.set_only_v6(false)?;
        socket.set_reuse_address(true)?;
        socket.set_read_timeout(Some(options.timeout))?;
        socket.bind(&SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0).into())?;
        Ok::<_, io::Error>(socket)
    };
    open().map_err(Step::Socket.failed())
}

pub(super) fn wait(socket: &Socket, options: &Options) -> io::Result<()> {
    let patience = PollTimeout::try_from(options.timeout).unwrap_or(PollTimeout::MAX);
    let mut waits = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    match poll(&mut waits, patience)? {
        0 => Err(ErrorKind::TimedOut.into()),
        _ => Ok(()),
    }
}
