//! Streams.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use socket2::{Domain, Protocol, Socket, Type};

use super::{Failure, Options, Step, attempt::Stream};

pub(super) fn attempt(how: Stream, to: SocketAddr, options: &Options) -> Result<bool, Failure> {
    let protocol = match how {
        Stream::Tcp4 | Stream::Tcp6 | Stream::FastOpen => Protocol::TCP,
        Stream::Mptcp => Protocol::MPTCP,
        Stream::Sctp => Protocol::SCTP,
    };
    let socket = open(to, protocol, options)?;
    if how == Stream::FastOpen {
        socket
            .send_to_with_flags(options.marker.as_bytes(), &to.into(), libc::MSG_FASTOPEN)
            .map_err(Step::Send.failed())?;
        return Ok(hears_echo(&mut socket.into(), options));
    }
    socket
        .connect_timeout(&to.into(), options.timeout)
        .map_err(Step::Connect.failed())?;
    echo(&mut socket.into(), options)
}

/// A stream socket whose waits all end.
pub(super) fn open(
    to: SocketAddr,
    protocol: Protocol,
    options: &Options,
) -> Result<Socket, Failure> {
    let open = || {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(protocol))?;
        socket.set_read_timeout(Some(options.timeout))?;
        socket.set_write_timeout(Some(options.timeout))?;
        Ok::<_, std::io::Error>(socket)
    };
    open().map_err(Step::Socket.failed())
}

/// Sends the marker; whether it came back.
pub(super) fn echo(stream: &mut TcpStream, options: &Options) -> Result<bool, Failure> {
    stream
        .write_all(options.marker.as_bytes())
        .map_err(Step::Send.failed())?;
    Ok(hears_echo(stream, options))
}

fn hears_echo(stream: &mut TcpStream, options: &Options) -> bool {
    let mut buffer = vec![0; options.marker.len()];
    stream.read_exact(&mut buffer).is_ok() && buffer == options.marker.as_bytes()
}
