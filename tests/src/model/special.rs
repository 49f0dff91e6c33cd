//! Special-purpose ranges, copied from the registries a second time so that a slip in the product's
//! own table shows.

use std::net::{Ipv4Addr, Ipv6Addr};

use enforcer::geo::SpecialRange::{
    self, Cgnat, LinkLocal, Loopback, Metadata, Multicast, Private, Reserved,
};

use super::Address;

/// IANA IPv4 Special-Purpose Address Registry (RFC 6890), with multicast (RFC 5771) and the
/// addresses at which clouds answer their own guests. The first row that has the address counts.
const V4: [(Ipv4Addr, u32, SpecialRange); 31] = [
    (v4(168, 63, 129, 16), 32, Metadata),
    (v4(169, 254, 169, 254), 32, Metadata),
    (v4(169, 254, 169, 253), 32, Metadata),
    (v4(169, 254, 169, 123), 32, Metadata),
    (v4(169, 254, 170, 2), 32, Metadata),
    (v4(169, 254, 170, 23), 32, Metadata),
    (v4(169, 254, 42, 42), 32, Metadata),
    (v4(169, 254, 0, 23), 32, Metadata),
    (v4(100, 100, 100, 200), 32, Metadata),
    (v4(100, 100, 2, 136), 32, Metadata),
    (v4(100, 100, 2, 138), 32, Metadata),
    (v4(192, 0, 0, 192), 32, Metadata),
    (v4(127, 0, 0, 0), 8, Loopback),
    (v4(10, 0, 0, 0), 8, Private),
    (v4(172, 16, 0, 0), 12, Private),
    (v4(192, 168, 0, 0), 16, Private),
    (v4(100, 64, 0, 0), 10, Cgnat),
    (v4(169, 254, 0, 0), 16, LinkLocal),
    (v4(224, 0, 0, 0), 4, Multicast),
    (v4(0, 0, 0, 0), 8, Reserved),
    (v4(192, 0, 0, 0), 24, Reserved),
    (v4(192, 0, 2, 0), 24, Reserved),
    (v4(192, 31, 196, 0), 24, Reserved),
    (v4(192, 52, 193, 0), 24, Reserved),
    (v4(192, 88, 99, 0), 24, Reserved),
    (v4(192, 175, 48, 0), 24, Reserved),
    (v4(198, 18, 0, 0), 15, Reserved),
    (v4(198, 51, 100, 0), 24, Reserved),
    (v4(203, 0, 113, 0), 24, Reserved),
    (v4(240, 0, 0, 0), 4, Reserved),
    (v4(255, 255, 255, 255), 32, Reserved),
];

/// IANA IPv6 Special-Purpose Address Registry, with multicast (RFC 4291) and the clouds' own.
/// Outside 2000::/3 the address space registry gives nothing to anybody else.
const V6: [(Ipv6Addr, u32, SpecialRange); 17] = [
    (v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]), 128, Metadata),
    (v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x253]), 128, Metadata),
    (v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x123]), 128, Metadata),
    (v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23]), 128, Metadata),
    (v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]), 128, Metadata),
    (
        v6([0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe]),
        128,
        Metadata,
    ),
    (v6([0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42]), 128, Metadata),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe]), 128, Metadata),
    (v6([0, 0, 0, 0, 0, 0, 0, 1]), 128, Loopback),
    (v6([0xfc00, 0, 0, 0, 0, 0, 0, 0]), 7, Private),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0]), 10, LinkLocal),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0]), 8, Multicast),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0]), 23, Reserved),
    (v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0]), 32, Reserved),
    (v6([0x2002, 0, 0, 0, 0, 0, 0, 0]), 16, Reserved),
    (v6([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0]), 48, Reserved),
    (v6([0x3fff, 0, 0, 0, 0, 0, 0, 0]), 20, Reserved),
];

const fn v4(a: u8, b: u8, c: u8, d: u8) -> Ipv4Addr {
    Ipv4Addr::new(a, b, c, d)
}

const fn v6([a, b, c, d, e, f, g, h]: [u16; 8]) -> Ipv6Addr {
    Ipv6Addr::new(a, b, c, d, e, f, g, h)
}

/// The special-purpose range of an address, if it has one.
#[must_use]
pub fn special_range(address: Address) -> Option<SpecialRange> {
    match address {
        Address::V4(number) => V4
            .iter()
            .find(|(network, length, _)| {
                let host_bits = 32 - length;
                u64::from(number) >> host_bits == u64::from(network.to_bits()) >> host_bits
            })
            .map(|(_, _, range)| *range),
        Address::V6(number) => {
            let named = V6.iter().find(|(network, length, _)| {
                let host_bits = 128 - length;
                number >> host_bits == network.to_bits() >> host_bits
            });
            let unicast = number >> 125 == 1;
            named
                .map(|(_, _, range)| *range)
                .or((!unicast).then_some(Reserved))
        }
    }
}
