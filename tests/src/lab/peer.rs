//! Who answers, and who calls, in the peer namespace.

use std::{
    io,
    net::{Shutdown, SocketAddr, TcpStream, UdpSocket},
    os::unix::net::UnixStream,
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::Context;
use socket2::{Domain, Socket, Type};

use super::{echo::Echoes, netns::NetNs, world::World};

/// Ports on which something listens by default.
pub const PORTS: [u16; 4] = [53, 443, 8443, 9000];

/// Echoes on a thread of their own, until dropped.
#[derive(Debug)]
pub struct Peer {
    stop: UnixStream,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    /// Listens on [`PORTS`].
    ///
    /// # Errors
    /// A port is taken in that namespace.
    pub fn new(world: &World) -> anyhow::Result<Self> {
        Self::listen(&world.peer, &PORTS)
    }

    /// Listens on every address and on each of `ports`.
    ///
    /// # Errors
    /// A port is taken in that namespace.
    pub fn listen(namespace: &NetNs, ports: &[u16]) -> anyhow::Result<Self> {
        let echoes = namespace.run(|| Echoes::open(ports))?;
        let (stop, stopped) = UnixStream::pair()?;
        let thread = thread::spawn(move || echoes.serve(&stopped));
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }

    /// Opens a TCP connection from an address of the world to `to` in the client namespace.
    ///
    /// # Errors
    /// Nobody listens there, or the answer does not arrive.
    pub fn connect_into(
        world: &World,
        from: SocketAddr,
        to: SocketAddr,
    ) -> anyhow::Result<TcpStream> {
        let socket = Self::socket_at(world, from, Type::STREAM)?;
        socket
            .connect_timeout(&to.into(), PATIENCE)
            .with_context(|| format!("cannot connect from {from} to {to}"))?;
        Ok(socket.into())
    }

    /// A UDP socket at an address of the world.
    ///
    /// # Errors
    /// The address and port are taken.
    pub fn udp_at(world: &World, from: SocketAddr) -> anyhow::Result<UdpSocket> {
        Ok(Self::socket_at(world, from, Type::DGRAM)?.into())
    }

    fn socket_at(world: &World, from: SocketAddr, kind: Type) -> anyhow::Result<Socket> {
        world.peer.run(|| {
            let socket = Socket::new(Domain::for_address(from), kind, None)?;
            speak_as_anybody(&socket)?;
            socket.bind(&from.into())?;
            socket.set_read_timeout(Some(PATIENCE))?;
            Ok(socket)
        })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.stop.shutdown(Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(5);

/// Lets a socket take an address that no interface has. One flag serves both families, and its
/// IPv4 option sets it on IPv6 sockets too.
pub(super) fn speak_as_anybody(socket: &Socket) -> io::Result<()> {
    socket.set_ip_transparent_v4(true)
}
