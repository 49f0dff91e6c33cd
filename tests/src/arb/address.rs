//! Addresses and networks out of a few neighbourhoods.

use std::net::{Ipv4Addr, Ipv6Addr};

use enforcer::policy::Cidr;
use enforcer_common::abi::{Addr, Nat64Prefix};
use proptest::{prelude::*, sample::select};

/// Around these everything happens: routable space, every special-purpose range, both ends.
const V4: [[u8; 4]; 12] = [
    [3, 64, 0, 0],
    [3, 64, 1, 0],
    [8, 8, 8, 0],
    [0, 0, 0, 0],
    [10, 66, 0, 0],
    [100, 100, 100, 200],
    [127, 0, 0, 0],
    [168, 63, 129, 16],
    [169, 254, 169, 254],
    [192, 0, 2, 0],
    [224, 0, 0, 0],
    [255, 255, 255, 255],
];

const V6: [[u16; 8]; 12] = [
    [0x2600, 0x1f14, 0, 0, 0, 0, 0, 0],
    [0x2600, 0x1f14, 0, 1, 0, 0, 0, 0],
    [0x2600, 0x1f14, 0, 1, 0x8000, 0, 0, 0],
    [0x2600, 0x1f14, 0, 1, 0, 0, 0, 0x80],
    [0x2a05, 0xd014, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 0, 1],
    [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254],
    [0xfe80, 0, 0, 0, 0, 0, 0, 0],
    [0xff02, 0, 0, 0, 0, 0, 0, 0],
    [0x2001, 0xdb8, 0, 0, 0, 0, 0, 0],
    [0x2000, 0, 0, 0, 0, 0, 0, 0],
    [0xffff; 8],
];

const V4_LENGTHS: [u8; 12] = [0, 1, 8, 10, 15, 16, 17, 23, 24, 25, 31, 32];
const V6_LENGTHS: [u8; 14] = [0, 3, 15, 16, 17, 32, 48, 63, 64, 65, 72, 96, 127, 128];

/// An IPv4 address in a neighbourhood.
pub(super) fn v4() -> impl Strategy<Value = u32> {
    (
        select(&V4[..]),
        prop_oneof![Just(0), 0..4_u32, Just(255), Just(256), Just(1 << 16)],
    )
        .prop_map(|(base, offset)| Ipv4Addr::from(base).to_bits().wrapping_add(offset))
}

/// An IPv6 address in a neighbourhood, often inside the same /64 as others.
pub(super) fn v6() -> impl Strategy<Value = u128> {
    let offset = prop_oneof![
        Just(0),
        0..4_u128,
        Just(1 << 16),
        Just(1 << 63),
        Just(1 << 64),
        Just(1 << 112),
    ];
    (select(&V6[..]), offset)
        .prop_map(|(base, offset)| Ipv6Addr::from(base).to_bits().wrapping_add(offset))
}

/// A network. Equal, nested and adjacent ones are common.
pub fn cidr() -> impl Strategy<Value = Cidr> {
    prop_oneof![
        (v4(), select(&V4_LENGTHS[..])).prop_map(|(address, length)| v4_cidr(address, length)),
        (v6(), select(&V6_LENGTHS[..])).prop_map(|(address, length)| v6_cidr(address, length)),
    ]
}

/// The IPv4 network of that length around an address.
fn v4_cidr(address: u32, length: u8) -> Cidr {
    let hosts = u32::MAX.checked_shr(length.into()).unwrap_or(0);
    let network = Addr::from_v4((address & !hosts).to_be_bytes());
    Cidr::new(network, length).expect("no host bits are left")
}

/// The IPv6 network of that length around an address.
fn v6_cidr(address: u128, length: u8) -> Cidr {
    let hosts = u128::MAX.checked_shr(length.into()).unwrap_or(0);
    let network = Addr::from_v6((address & !hosts).to_be_bytes());
    Cidr::new(network, length).expect("no host bits are left")
}

/// NAT64 prefixes of the operator's own, some nested in each other's space.
pub(super) fn nat64() -> impl Strategy<Value = Vec<Nat64Prefix>> {
    let prefix = (select(&Nat64Prefix::LENGTHS[..]), any::<bool>()).prop_map(|(len, other)| {
        let address = if other {
            0x2a05_d014_0064_0000_0000_0000_0000_0000_u128
        } else {
            0x2600_1f14_0000_0000_0000_0000_0000_0000
        };
        let network = address & !(u128::MAX >> len);
        Nat64Prefix {
            hi: (network >> 64) as u64,
            lo: network as u64,
            len,
            reserved: 0,
        }
    });
    proptest::collection::vec(prefix, 0..3)
}
