//! What is timed.

use std::{
    fs,
    io::{self, ErrorKind},
    net::{IpAddr, Ipv6Addr, SocketAddr},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use socket2::{Domain, SockAddr, Socket, Type};

use super::{
    bulk::Bulk,
    flood,
    names::Asker,
    orders::{Load, Timed},
    peer::{PORT, Peer},
};

/// Payload that makes the smallest Ethernet frame.
pub(super) const PAYLOAD: [u8; 18] = [0x65; 18];
/// Datagrams of a batch to scattered addresses.
const SCATTERED: usize = 256;
/// Batches that only warm up.
const WARM_UP: u32 = 4;

/// Destinations, one after the other and round again.
pub(super) struct Addresses {
    addresses: Vec<SocketAddr>,
    next: usize,
}

impl Addresses {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| path.display().to_string())?;
        let (records, rest) = bytes.as_chunks::<16>();
        ensure!(
            rest.is_empty() && !records.is_empty(),
            "{} holds no addresses of 16 bytes",
            path.display()
        );
        let address = |octets: &[u8; 16]| {
            let address = IpAddr::from(Ipv6Addr::from(*octets)).to_canonical();
            SocketAddr::from((address, PORT))
        };
        Ok(Self {
            addresses: records.iter().map(address).collect(),
            next: 0,
        })
    }

    pub(super) fn take(&mut self, count: usize) -> Vec<SockAddr> {
        let taken = (0..count).map(|offset| {
            let index = (self.next + offset) % self.addresses.len();
            self.addresses[index].into()
        });
        let taken = taken.collect();
        self.next = (self.next + count) % self.addresses.len();
        taken
    }

    pub(super) fn domain(&self) -> Domain {
        Domain::for_address(self.addresses[0])
    }
}

/// One run.
pub(super) fn time(
    load: Load,
    batches: u32,
    addresses: &mut Addresses,
    peer: &Peer,
) -> Result<Timed> {
    let mut one = batch(load, addresses, peer)?;
    let mut timed = Timed {
        batches: Vec::with_capacity(batches as usize),
        operations: 0,
    };
    for number in 0..batches + WARM_UP {
        let (elapsed, count) = one(addresses, peer)?;
        timed.operations += count as u64;
        if number >= WARM_UP {
            timed.batches.push(elapsed.as_nanos() as f64 / count as f64);
        }
    }
    Ok(timed)
}

type Batch = Box<dyn FnMut(&mut Addresses, &Peer) -> Result<(Duration, usize)>>;

fn batch(load: Load, addresses: &mut Addresses, peer: &Peer) -> Result<Batch> {
    Ok(match load {
        Load::Connect => Box::new(connects),
        Load::Connected => {
            let socket = Socket::new(addresses.domain(), Type::DGRAM, None)?;
            socket.connect(&addresses.take(1)[0])?;
            Box::new(move |_, _| sends(&socket))
        }
        Load::Scattered => {
            let socket = Socket::new(addresses.domain(), Type::DGRAM, None)?;
            Box::new(move |addresses, _| sends_to(&socket, &addresses.take(SCATTERED)))
        }
        Load::Bulk => {
            let mut bulk = Bulk::connect(&addresses.take(1)[0], peer)?;
            Box::new(move |_, _| bulk.batch())
        }
        Load::Lookup => {
            let mut asker = Asker::new()?;
            Box::new(move |addresses, peer| asker.lookups(addresses, peer))
        }
        Load::Named => {
            let mut asker = Asker::new()?;
            let socket = Socket::new(addresses.domain(), Type::DGRAM, None)?;
            Box::new(move |addresses, peer| {
                let looked_up = asker.look_up(addresses, peer)?;
                sends_to(&socket, &looked_up)
            })
        }
    })
}

fn connects(addresses: &mut Addresses, peer: &Peer) -> Result<(Duration, usize)> {
    const COUNT: usize = 32;
    let domain = addresses.domain();
    let mut attempts = Vec::with_capacity(COUNT);
    for address in addresses.take(COUNT) {
        let socket = Socket::new(domain, Type::STREAM, None)?;
        // Closing resets: neither side remembers the connection.
        socket.set_linger(Some(Duration::ZERO))?;
        attempts.push((socket, address));
    }
    let start = Instant::now();
    for (socket, address) in &attempts {
        or_refused(socket.connect(address)).context("connect")?;
    }
    let elapsed = start.elapsed();
    drop(attempts);
    peer.clear()?;
    Ok((elapsed, COUNT))
}

fn sends(socket: &Socket) -> Result<(Duration, usize)> {
    const COUNT: usize = 256;
    let start = Instant::now();
    for _ in 0..COUNT {
        socket.send(&PAYLOAD).context("send")?;
    }
    Ok((start.elapsed(), COUNT))
}

fn sends_to(socket: &Socket, addresses: &[SockAddr]) -> Result<(Duration, usize)> {
    let start = Instant::now();
    for address in addresses {
        or_refused(socket.send_to(&PAYLOAD, address).map(drop)).context("send")?;
    }
    Ok((start.elapsed(), addresses.len()))
}

/// What is refused has been shown before to be what must be: it is timed as what it is.
fn or_refused(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() != ErrorKind::PermissionDenied => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// For each destination, whether a datagram may be sent there.
pub(super) fn probe(addresses: &Addresses) -> Result<Vec<bool>> {
    let socket = Socket::new(addresses.domain(), Type::DGRAM, None)?;
    let permitted = |address: &SocketAddr| flood::is_permitted(&socket, &(*address).into());
    addresses.addresses.iter().map(permitted).collect()
}

/// The same, after a lookup of each destination.
pub(super) fn probe_named(addresses: &mut Addresses, peer: &Peer) -> Result<Vec<bool>> {
    let socket = Socket::new(addresses.domain(), Type::DGRAM, None)?;
    let mut asker = Asker::new()?;
    let mut permitted = Vec::new();
    while permitted.len() < addresses.addresses.len() {
        for address in asker.look_up(addresses, peer)? {
            permitted.push(flood::is_permitted(&socket, &address)?);
        }
    }
    Ok(permitted)
}
