//! Sends datagrams as fast as it can, and says how many were refused.
//!
//! `flood FLOWS DATAGRAMS ADDRESS`: the flows differ in their ports, and from the address on.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, UdpSocket},
};

use anyhow::{Context as _, bail};

/// Ports of one address.
const PORTS: u32 = 50_000;

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [flows, datagrams, address] = &words[..] else {
        bail!("say FLOWS DATAGRAMS ADDRESS");
    };
    let (flows, datagrams): (u32, u32) = (flows.parse()?, datagrams.parse()?);
    let address: Ipv4Addr = address.parse()?;
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    let mut refused = 0_u32;
    for datagram in 0..datagrams {
        let flow = datagram % flows;
        let to = Ipv4Addr::from(address.to_bits() + flow / PORTS);
        let port = u16::try_from(flow % PORTS + 1).context("a port")?;
        match socket.send_to(b"flood", (to, port)) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::PermissionDenied => refused += 1,
            Err(error) => return Err(error.into()),
        }
    }
    println!("{refused}");
    Ok(())
}
