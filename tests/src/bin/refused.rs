//! Connects to each address that it is told (`IP:PORT`, a line each), and says when that returned
//! (`CLOCK_MONOTONIC`, nanoseconds) and with which error (0 is none).

use std::{
    io::{self, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use nix::time::{ClockId, clock_gettime};

fn main() -> anyhow::Result<()> {
    for line in io::stdin().lines() {
        let address: SocketAddr = line?.parse()?;
        let connected = TcpStream::connect(address);
        let returned = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC)?);
        let error = connected.err().and_then(|error| error.raw_os_error());
        println!("{} {}", returned.as_nanos(), error.unwrap_or(0));
        io::stdout().flush()?;
    }
    Ok(())
}
