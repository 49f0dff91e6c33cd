//! Echoes on TCP, UDP and UDP-Lite, for every address at once.

use std::{
    io::{ErrorKind, IoSlice, IoSliceMut, Read, Write},
    net::{Ipv6Addr, SocketAddrV6, TcpListener, TcpStream},
    os::{
        fd::{AsFd, AsRawFd},
        unix::net::UnixStream,
    },
};

use anyhow::Context;
use nix::{
    cmsg_space,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{
        ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn6, recvmsg, sendmsg, setsockopt,
        sockopt::Ipv6RecvPacketInfo,
    },
};
use socket2::{Domain, Protocol, Socket, Type};

use super::peer::speak_as_anybody;

/// The open sockets. Wildcard IPv6 sockets take IPv4 as well.
pub(super) struct Echoes {
    listeners: Vec<TcpListener>,
    streams: Vec<TcpStream>,
    datagrams: Vec<Socket>,
}

impl Echoes {
    pub(super) fn open(ports: &[u16]) -> anyhow::Result<Self> {
        let mut echoes = Self {
            listeners: vec![],
            streams: vec![],
            datagrams: vec![],
        };
        for &port in ports {
            let tcp = wildcard(Type::STREAM, Protocol::TCP, port)?;
            tcp.listen(128)?;
            echoes.listeners.push(tcp.into());
            for protocol in [Protocol::UDP, Protocol::UDPLITE] {
                let socket = wildcard(Type::DGRAM, protocol, port)?;
                setsockopt(&socket, Ipv6RecvPacketInfo, &true)?;
                echoes.datagrams.push(socket);
            }
        }
        Ok(echoes)
    }

    /// Answers until the other end of `stopped` is shut down.
    pub(super) fn serve(mut self, stopped: &UnixStream) {
        loop {
            let ready = self.wait(stopped);
            let Some((ready_stop, ready)) = ready.split_first() else {
                return;
            };
            if *ready_stop {
                return;
            }
            let (listeners, rest) = ready.split_at(self.listeners.len());
            let (datagrams, streams) = rest.split_at(self.datagrams.len());
            for (socket, _) in self.datagrams.iter().zip(datagrams).filter(|it| *it.1) {
                // A sender that has gone is no reason to stop answering others.
                let _ = echo_datagram(socket);
            }
            let mut at = 0;
            self.streams.retain_mut(|stream| {
                let ready = streams[at];
                at += 1;
                !ready || echo_stream(stream)
            });
            for (listener, _) in self.listeners.iter().zip(listeners).filter(|it| *it.1) {
                if let Ok((stream, _)) = listener.accept()
                    && stream.set_nonblocking(true).is_ok()
                {
                    self.streams.push(stream);
                }
            }
        }
    }

    /// Which can be read: stop, listeners, datagrams, streams. Empty when waiting failed.
    fn wait(&self, stopped: &UnixStream) -> Vec<bool> {
        let sockets = [stopped.as_fd()]
            .into_iter()
            .chain(self.listeners.iter().map(AsFd::as_fd))
            .chain(self.datagrams.iter().map(AsFd::as_fd))
            .chain(self.streams.iter().map(AsFd::as_fd));
        let mut waits: Vec<_> = sockets
            .map(|socket| PollFd::new(socket, PollFlags::POLLIN))
            .collect();
        match poll(&mut waits, PollTimeout::NONE) {
            Ok(_) => waits.iter().map(|wait| wait.any() == Some(true)).collect(),
            Err(_) => vec![],
        }
    }
}

fn wildcard(kind: Type, protocol: Protocol, port: u16) -> anyhow::Result<Socket> {
    let socket = Socket::new(Domain::IPV6, kind, Some(protocol))?;
    socket.set_only_v6(false)?;
    socket.set_reuse_address(true)?;
    speak_as_anybody(&socket)?;
    socket.set_nonblocking(true)?;
    socket
        .bind(&SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0).into())
        .with_context(|| format!("cannot listen on port {port}"))?;
    Ok(socket)
}

/// Sends back what can be read; false when the stream has ended.
fn echo_stream(stream: &mut TcpStream) -> bool {
    let mut buffer = [0; 4096];
    match stream.read(&mut buffer) {
        Ok(0) => false,
        Ok(length) => stream.write_all(&buffer[..length]).is_ok(),
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}

/// Sends a datagram back from the address that it was sent to.
fn echo_datagram(socket: &Socket) -> nix::Result<()> {
    let mut buffer = vec![0; 65536];
    let mut control = cmsg_space!(libc::in6_pktinfo);
    let mut into = [IoSliceMut::new(&mut buffer)];
    let received = recvmsg::<SockaddrIn6>(
        socket.as_raw_fd(),
        &mut into,
        Some(&mut control),
        MsgFlags::empty(),
    )?;
    let (length, sender) = (received.bytes, received.address);
    let mut sent_to = None;
    for message in received.cmsgs()? {
        if let ControlMessageOwned::Ipv6PacketInfo(mut info) = message {
            // Whatever interface leads back to the sender.
            info.ipi6_ifindex = 0;
            sent_to = Some(info);
        }
    }
    let control: Vec<_> = sent_to.iter().map(ControlMessage::Ipv6PacketInfo).collect();
    let payload = [IoSlice::new(&buffer[..length])];
    sendmsg(
        socket.as_raw_fd(),
        &payload,
        &control,
        MsgFlags::empty(),
        sender.as_ref(),
    )?;
    Ok(())
}
