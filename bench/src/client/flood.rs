//! Datagrams without a pause, while somebody else changes the tables.

use std::{
    fs::File,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result};
use socket2::{SockAddr, Socket, Type};

use super::{
    orders::Flooded,
    work::{Addresses, PAYLOAD},
};

/// Sends between two looks whether to end.
const ROUND: usize = 960;
/// Of them to addresses outside.
const OUTSIDE: usize = ROUND / 15;

/// Sends at least `sends` datagrams, then makes the file `enough`, and goes on until the file `end` is
/// there.
pub(super) fn run(
    sends: u64,
    end: &Path,
    inside: &mut Addresses,
    outside: &mut Addresses,
) -> Result<Flooded> {
    let flooded = flood(sends, end, inside, outside);
    if flooded.is_err() {
        // Who waits for it must not wait for ever.
        File::create(enough_of(end))?;
    }
    flooded
}

fn flood(
    sends: u64,
    end: &Path,
    inside: &mut Addresses,
    outside: &mut Addresses,
) -> Result<Flooded> {
    let socket = Socket::new(inside.domain(), Type::DGRAM, None)?;
    let mut found = Flooded {
        sent: 0,
        refused: 0,
        leaked: 0,
        p99_ns: 0,
    };
    let mut times = Vec::with_capacity(2 * sends as usize);
    while found.sent < sends || !end.exists() {
        for address in inside.take(ROUND) {
            let start = Instant::now();
            let permitted = is_permitted(&socket, &address)?;
            times.push(start.elapsed().as_nanos() as u64);
            found.refused += u64::from(!permitted);
        }
        for address in outside.take(OUTSIDE) {
            found.leaked += u64::from(is_permitted(&socket, &address)?);
        }
        let before = found.sent;
        found.sent += (ROUND + OUTSIDE) as u64;
        if before < sends && found.sent >= sends {
            File::create(enough_of(end))?;
        }
    }
    let place = times.len() * 99 / 100;
    found.p99_ns = *times.select_nth_unstable(place).1;
    Ok(found)
}

/// The file that says that a flood with this end has sent enough.
pub(super) fn enough_of(end: &Path) -> PathBuf {
    end.with_extension("enough")
}

/// Whether a datagram may be sent there.
pub(super) fn is_permitted(socket: &Socket, address: &SockAddr) -> Result<bool> {
    let sent: io::Result<usize> = socket.send_to(&PAYLOAD, address);
    match sent {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(false),
        Err(error) => Err(error).with_context(|| format!("send to {address:?}")),
    }
}
