//! Addresses as the model sees them: a number of one family, and what is embedded in it.

use std::net::{Ipv4Addr, Ipv6Addr};

use enforcer::geo::{Database, Location};
use enforcer_common::abi::{Addr, Nat64Prefix};

/// An address as a number of its family. No IPv6 address here is v4-mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// IPv4.
    V4(u32),
    /// IPv6.
    V6(u128),
}

/// Where a packet to an address ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// There and nowhere else.
    At(Address),
    /// At the IPv4 or at the IPv6 address: nobody can tell, so both must be permitted.
    AtEither(Address, Address),
}

impl Address {
    /// What the sixteen octets name, v4-mapped as IPv4 (RFC 4291, 2.5.5.2).
    #[must_use]
    pub fn new(addr: Addr) -> Self {
        let v6 = Ipv6Addr::from(addr.octets());
        match v6.to_ipv4_mapped() {
            Some(v4) => Self::V4(v4.into()),
            None => Self::V6(v6.into()),
        }
    }

    /// 127.0.0.0/8 and ::1: cannot leave the host.
    #[must_use]
    pub fn is_loopback(self) -> bool {
        match self {
            Self::V4(v4) => Ipv4Addr::from(v4).is_loopback(),
            Self::V6(v6) => Ipv6Addr::from(v6).is_loopback(),
        }
    }

    /// The IPv4 address inside an IPv6 address is the one that counts.
    #[must_use]
    pub fn ends(self, nat64: &[Nat64Prefix]) -> Ends {
        let Self::V6(number) = self else {
            return Ends::At(self);
        };
        let octets = number.to_be_bytes();
        let v4 = |octets: [u8; 4]| Self::V4(u32::from_be_bytes(octets));
        for prefix in nat64 {
            if let Some(inner) = nat64_inner(prefix, octets) {
                return Ends::At(v4(inner));
            }
        }
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = octets;
        let tail = [m, n, o, p];
        // NAT64 (RFC 6052, 2.1): 64:ff9b::/96.
        if [a, b, c, d] == [0, 0x64, 0xff, 0x9b] && [e, f, g, h, i, j, k, l] == [0; 8] {
            return Ends::At(v4(tail));
        }
        // 6to4 (RFC 3056, 2): 2002:V4ADDR::/48.
        if [a, b] == [0x20, 0x02] {
            return Ends::At(v4([c, d, e, f]));
        }
        // Teredo (RFC 4380, 4): 2001:0::/32, the client's address inverted at the end.
        if [a, b, c, d] == [0x20, 0x01, 0, 0] {
            return Ends::At(v4(tail.map(|octet| !octet)));
        }
        // ISATAP (RFC 5214, 6.1): interface identifier 0000:5efe:V4 or 0200:5efe:V4.
        if (i == 0 || i == 2) && [j, k, l] == [0, 0x5e, 0xfe] {
            let link_local = a == 0xfe && b & 0xc0 == 0x80;
            return if link_local {
                Ends::At(v4(tail))
            } else {
                Ends::AtEither(v4(tail), self)
            };
        }
        Ends::At(self)
    }

    /// What one database says: the last range that starts at or before the address.
    #[must_use]
    pub fn location(self, database: &Database) -> Location {
        let id = match self {
            Self::V4(v4) => last(&database.v4, |start| *start <= v4),
            Self::V6(v6) => last(&database.v6, |start| *start <= v6),
        };
        id.map(|id| database.locations[id.0 as usize])
            .unwrap_or_default()
    }
}

fn last<T, U: Copy>(ranges: &[(T, U)], reached: impl Fn(&T) -> bool) -> Option<U> {
    let mut found = None;
    for (start, value) in ranges {
        if reached(start) {
            found = Some(*value);
        }
    }
    found
}

/// RFC 6052, 2.2: the four octets after the prefix, jumping over octet 8, which is the `u` octet.
fn nat64_inner(prefix: &Nat64Prefix, octets: [u8; 16]) -> Option<[u8; 4]> {
    let prefix_octets = [prefix.hi.to_be_bytes(), prefix.lo.to_be_bytes()].concat();
    let length = prefix.len as usize / 8;
    if octets[..length] != prefix_octets[..length] {
        return None;
    }
    let mut inner = (length..16).filter(|&at| at != 8).map(|at| octets[at]);
    Some([inner.next()?, inner.next()?, inner.next()?, inner.next()?])
}
