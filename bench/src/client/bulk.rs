//! As many bytes as a connection takes.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use socket2::{Domain, SockAddr, Socket, Type};

use super::peer::Peer;

const CHUNK: usize = 1 << 16;

/// Both ends of a connection. Who writes also reads, so that nobody has to be woken.
pub(super) struct Bulk {
    from: Socket,
    to: Socket,
    room: Vec<u8>,
}

impl Bulk {
    pub(super) fn connect(address: &SockAddr, peer: &Peer) -> Result<Self> {
        let domain = if address.is_ipv6() {
            Domain::IPV6
        } else {
            Domain::IPV4
        };
        let from = Socket::new(domain, Type::STREAM, None)?;
        from.connect(address).context("connect")?;
        let to = peer.accept()?;
        for end in [&from, &to] {
            end.set_nonblocking(true)?;
        }
        Ok(Self {
            from,
            to,
            room: vec![0x65; CHUNK],
        })
    }

    /// Eight chunks, from end to end.
    pub(super) fn batch(&mut self) -> Result<(Duration, usize)> {
        const COUNT: usize = 8;
        let start = Instant::now();
        for _ in 0..COUNT {
            self.chunk()?;
        }
        Ok((start.elapsed(), COUNT))
    }

    fn chunk(&mut self) -> Result<()> {
        let (mut written, mut read) = (0, 0);
        while read < CHUNK {
            if written < CHUNK {
                written += moved((&self.from).write(&self.room[written..]))?;
            }
            read += moved((&self.to).read(&mut self.room[..CHUNK - read]))?;
        }
        Ok(())
    }
}

/// How many bytes; 0 where the other side has to move first.
fn moved(outcome: std::io::Result<usize>) -> Result<usize> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        Err(error) => Err(error).context("a connection"),
        Ok(bytes) => Ok(bytes),
    }
}
