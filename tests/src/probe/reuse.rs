//! Sockets that were servers and become clients.

use std::{
    io::{self, Write},
    net::{SocketAddr, SocketAddrV6},
    os::fd::AsRawFd,
};

use socket2::{Socket, Type};

use super::{Options, Report, Step, attempt::Reuse, serve, tcp};

/// Serves until a client has come, then connects from the same socket.
pub(super) fn attempt(
    how: Reuse,
    port: u16,
    to: SocketAddr,
    options: &Options,
    report: &mut Report<'_, impl Write>,
) -> io::Result<()> {
    let listener = match serve::wildcard(Type::STREAM, port, options) {
        Ok(listener) => listener,
        Err(failure) => return report.line(Err(failure)),
    };
    listener.listen(1)?;
    report.ready()?;
    let socket = match serve::wait(&listener, options) {
        Ok(()) if how == Reuse::Listener => Ok(listener),
        Ok(()) => listener.accept().map(|(socket, _)| socket),
        Err(error) => Err(error),
    };
    let socket = match socket {
        Ok(socket) => socket,
        Err(error) => return report.line(Err(Step::Accept.failed()(error))),
    };
    disconnect(&socket)?;
    socket.set_read_timeout(Some(options.timeout))?;
    socket.set_write_timeout(Some(options.timeout))?;
    let to = mapped(to).into();
    if how == Reuse::AcceptedFastOpen {
        let marker = options.marker.as_bytes();
        let sent = socket.send_to_with_flags(marker, &to, libc::MSG_FASTOPEN);
        return report.line(sent.map(|_| false).map_err(Step::Send.failed()));
    }
    let connected = socket.connect_timeout(&to, options.timeout);
    report.line(
        connected
            .map_err(Step::Connect.failed())
            .and_then(|()| tcp::echo(&mut socket.into(), options)),
    )
}

/// Connecting to no family ends a connection or a listening, and keeps the socket (connect(2)).
fn disconnect(socket: &Socket) -> io::Result<()> {
    let nowhere = libc::sockaddr {
        sa_family: libc::AF_UNSPEC as libc::sa_family_t,
        sa_data: [0; 14],
    };
    // SAFETY: the pointer and the length are those of `nowhere`, which outlives the call.
    let status = unsafe {
        libc::connect(
            socket.as_raw_fd(),
            &raw const nowhere,
            size_of_val(&nowhere) as libc::socklen_t,
        )
    };
    if status == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The server's socket is an IPv6 one.
fn mapped(to: SocketAddr) -> SocketAddrV6 {
    match to {
        SocketAddr::V4(v4) => SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0),
        SocketAddr::V6(v6) => v6,
    }
}
