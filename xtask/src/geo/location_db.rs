//! Reads the IPFire Location database, format version 1.
//!
//! Big-endian throughout: a magic with the version, a header of offsets and lengths, and sections.
//! Networks hang in a binary tree over 128-bit addresses, IPv4 at `::ffff:0:0/96`; the deepest
//! network on the way to an address is the answer.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
};

use anyhow::{Context, Result, bail, ensure};

const MAGIC: &[u8] = b"LOCDBXX\x01";
const HEADER: usize = MAGIC.len();
const NODE_BYTES: usize = 12;
const NETWORK_BYTES: usize = 12;
const AS_BYTES: usize = 8;
/// A node without a network of its own.
const NO_NETWORK: u32 = u32::MAX;
const FLAG_ANYCAST: u16 = 1 << 2;

/// The sections of one database.
pub(super) struct LocationDb<'a> {
    /// Seconds since 1970-01-01 UTC.
    pub(super) created_at: u64,
    nodes: &'a [u8],
    networks: &'a [u8],
    systems: &'a [u8],
    strings: &'a [u8],
}

/// What the database says of one network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    /// First address; IPv4 as IPv4.
    pub(super) address: IpAddr,
    /// In bits of the address's own family.
    pub(super) length: u8,
    /// Two bytes as stored; `None` when they are zero.
    pub(super) country: Option<[u8; 2]>,
    /// `None` when it is zero.
    pub(super) asn: Option<u32>,
    /// Announced from several places.
    pub(super) anycast: bool,
}

impl<'a> LocationDb<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self> {
        ensure!(
            bytes.starts_with(MAGIC),
            "not an IPFire Location database of version 1"
        );
        let section = |at: usize, what: &str| -> Result<&'a [u8]> {
            let offset = be32(bytes, HEADER + at)? as usize;
            let length = be32(bytes, HEADER + at + 4)? as usize;
            bytes
                .get(offset..offset + length)
                .with_context(|| format!("the {what} reach beyond the end of the file"))
        };
        let created_at =
            u64::from(be32(bytes, HEADER)?) << 32 | u64::from(be32(bytes, HEADER + 4)?);
        Ok(Self {
            created_at,
            systems: section(20, "autonomous systems")?,
            networks: section(28, "networks")?,
            nodes: section(36, "tree nodes")?,
            strings: section(52, "strings")?,
        })
    }

    /// Every network, an outer one before those inside it.
    pub(super) fn networks(&self) -> Result<Vec<Network>> {
        let mut found = Vec::new();
        let mut todo = vec![(0_u32, 0_u128, 0_u8)];
        while let Some((node, address, depth)) = todo.pop() {
            let at = node as usize * NODE_BYTES;
            let network = be32(self.nodes, at + 8)?;
            if network != NO_NETWORK {
                found.push(self.network(network, address, depth)?);
            }
            let (zero, one) = (be32(self.nodes, at)?, be32(self.nodes, at + 4)?);
            if zero | one != 0 && depth == 128 {
                bail!("the tree is deeper than an address is long");
            }
            // No child points back at the root, so 0 is free to mean "none".
            if one != 0 {
                todo.push((one, address | 1 << (127 - depth), depth + 1));
            }
            if zero != 0 {
                todo.push((zero, address, depth + 1));
            }
        }
        Ok(found)
    }

    fn network(&self, number: u32, address: u128, depth: u8) -> Result<Network> {
        let at = number as usize * NETWORK_BYTES;
        let record = self
            .networks
            .get(at..at + NETWORK_BYTES)
            .with_context(|| format!("the tree names network {number}, which is not there"))?;
        let country = [record[0], record[1]];
        let asn = be32(record, 4)?;
        let flags = u16::from_be_bytes([record[8], record[9]]);
        let v6 = Ipv6Addr::from(address);
        let (address, length) = match v6.to_ipv4_mapped() {
            Some(v4) if depth >= 96 => (IpAddr::V4(v4), depth - 96),
            _ => (IpAddr::V6(v6), depth),
        };
        Ok(Network {
            address,
            length,
            country: (country != [0, 0]).then_some(country),
            asn: (asn != 0).then_some(asn),
            anycast: flags & FLAG_ANYCAST != 0,
        })
    }

    /// Names of autonomous systems by number.
    pub(super) fn names(&self) -> Result<HashMap<u32, &'a str>> {
        (0..self.systems.len() / AS_BYTES)
            .map(|index| {
                let at = index * AS_BYTES;
                let number = be32(self.systems, at)?;
                let name = self.string(be32(self.systems, at + 4)? as usize)?;
                Ok((number, name))
            })
            .collect()
    }

    fn string(&self, at: usize) -> Result<&'a str> {
        let rest = self.strings.get(at..).context("a name out of bounds")?;
        let end = rest.iter().position(|&byte| byte == 0);
        let text = &rest[..end.unwrap_or(rest.len())];
        std::str::from_utf8(text).context("a name that is not UTF-8")
    }
}

fn be32(bytes: &[u8], at: usize) -> Result<u32> {
    match bytes.get(at..at + 4) {
        Some(&[a, b, c, d]) => Ok(u32::from_be_bytes([a, b, c, d])),
        _ => bail!("the database ends before byte {}", at + 4),
    }
}
