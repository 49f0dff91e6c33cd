//! Questions to a resolver, and its answers.
//!
//! The client is both: it asks, takes the question off the resolver's socket, answers, and reads the
//! answer. Nobody has to be woken, and what is timed is what the kernel does with the two messages.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use socket2::{Domain, SockAddr, Socket, Type};

use super::{peer::Peer, work::Addresses};

/// The resolver of all policies with names.
pub(crate) const RESOLVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(52, 0, 0, 53), 53);
/// The name that is asked for, again and again: each answer has another address.
pub(crate) const NAME: &str = "host-0.names.example";

/// Lookups of a batch.
const COUNT: usize = 64;

/// Who asks.
pub(super) struct Asker {
    socket: Socket,
    id: u16,
}

impl Asker {
    pub(super) fn new() -> Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        socket
            .connect(&RESOLVER.into())
            .context("connect to the resolver")?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, id: 0 })
    }

    /// Looks the next destinations up.
    pub(super) fn look_up(
        &mut self,
        addresses: &mut Addresses,
        peer: &Peer,
    ) -> Result<Vec<SockAddr>> {
        let found = addresses.take(COUNT);
        for address in &found {
            self.one(address, peer)?;
        }
        Ok(found)
    }

    /// The same, timed.
    pub(super) fn lookups(
        &mut self,
        addresses: &mut Addresses,
        peer: &Peer,
    ) -> Result<(Duration, usize)> {
        let start = Instant::now();
        self.look_up(addresses, peer)?;
        Ok((start.elapsed(), COUNT))
    }

    fn one(&mut self, address: &SockAddr, peer: &Peer) -> Result<()> {
        self.id = self.id.wrapping_add(1);
        let address = address
            .as_socket_ipv4()
            .context("names have IPv4 addresses here")?;
        let (question, answer) = messages(self.id, *address.ip());
        self.socket.send(&question).context("ask")?;
        let mut room = [std::mem::MaybeUninit::uninit(); 512];
        let (length, from) = peer.resolver.recv_from(&mut room).context("no question")?;
        ensure!(
            length == question.len(),
            "another question of {length} bytes"
        );
        peer.resolver.send_to(&answer, &from).context("answer")?;
        let length = self.socket.recv(&mut room).context("no answer")?;
        ensure!(length == answer.len(), "another answer of {length} bytes");
        Ok(())
    }
}

/// Question and answer (RFC 1035, 4.1).
fn messages(id: u16, address: Ipv4Addr) -> (Vec<u8>, Vec<u8>) {
    const POINTER_TO_QUESTION: [u8; 2] = [0xc0, 12];
    const A_INTERNET: [u8; 4] = [0, 1, 0, 1];
    const HOUR: [u8; 4] = 3600_u32.to_be_bytes();
    let mut question = id.to_be_bytes().to_vec();
    question.extend([0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in NAME.split('.') {
        question.push(label.len() as u8);
        question.extend(label.as_bytes());
    }
    question.push(0);
    question.extend(A_INTERNET);
    let mut answer = question.clone();
    answer[2..4].copy_from_slice(&[0x81, 0x80]);
    answer[7] = 1;
    answer.extend(POINTER_TO_QUESTION);
    answer.extend(A_INTERNET);
    answer.extend(HOUR);
    answer.extend([0, 4]);
    answer.extend(address.octets());
    (question, answer)
}
