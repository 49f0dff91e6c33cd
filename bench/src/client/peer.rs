//! Who answers: sockets on which nobody waits.
//!
//! A server that sleeps in `accept` has to be woken for each connection, and the interrupt to its
//! CPU costs more than all that is measured. So the kernel accepts alone, and the client clears the
//! queue between batches.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

use anyhow::{Context as _, Result, bail};
use socket2::{Domain, Socket, Type};

use super::names::RESOLVER;

/// The port of every destination.
pub(super) const PORT: u16 = 443;
/// More connections than a batch has.
const BACKLOG: i32 = 1024;

/// Sockets of one peer namespace.
pub(super) struct Peer {
    listeners: Vec<Socket>,
    /// Full from the start, so that each datagram takes the same way to its end.
    _sinks: Vec<Socket>,
    /// Where questions arrive.
    pub(super) resolver: Socket,
}

impl Peer {
    /// Opens them in the namespace of the calling thread.
    pub(super) fn open() -> Result<Self> {
        let everywhere = [
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT)),
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT)),
        ];
        let listen = |address: &SocketAddr| {
            let socket = bound(*address, Type::STREAM)?;
            socket.set_nonblocking(true)?;
            socket.listen(BACKLOG)?;
            Ok(socket)
        };
        let sink = |address: &SocketAddr| {
            let socket = bound(*address, Type::DGRAM)?;
            socket.set_recv_buffer_size(0)?;
            Ok(socket)
        };
        Ok(Self {
            listeners: everywhere.iter().map(listen).collect::<Result<_>>()?,
            _sinks: everywhere.iter().map(sink).collect::<Result<_>>()?,
            resolver: resolver()?,
        })
    }

    /// The connection that stands first in a queue.
    pub(super) fn accept(&self) -> Result<Socket> {
        for listener in &self.listeners {
            match listener.accept() {
                Ok((socket, _)) => return Ok(socket),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error).context("accept"),
            }
        }
        bail!("nobody has connected")
    }

    /// Takes the finished connections off the queues.
    pub(super) fn clear(&self) -> Result<()> {
        for listener in &self.listeners {
            loop {
                match listener.accept() {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error).context("accept"),
                }
            }
        }
        Ok(())
    }
}

/// A socket of an address that is local only by a route.
fn resolver() -> Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    socket.set_ip_transparent_v4(true)?;
    socket.set_nonblocking(true)?;
    socket
        .bind(&RESOLVER.into())
        .with_context(|| format!("bind {RESOLVER}"))?;
    Ok(socket)
}

fn bound(address: SocketAddr, kind: Type) -> Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket
        .bind(&address.into())
        .with_context(|| format!("bind {address}"))?;
    Ok(socket)
}
