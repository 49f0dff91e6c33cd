//! The rows themselves.
//!
//! A row that its registry calls globally reachable (AS112, AMT, relays) is special all the same: it
//! is announced from many places and says nothing of a jurisdiction.
//!
//! IANA IPv4 Special-Purpose Address Registry as of 2025-10-09 and IANA IPv6 Special-Purpose
//! Address Registry as of 2026-09-08, with each row's own source. What they leave to other
//! registries is added with its source: multicast (RFC 5771, RFC 4291) and the IPv6 space that is
//! not global unicast (RFC 4291, 2.4).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::SpecialRange::{self, Cgnat, LinkLocal, Loopback, Multicast, Private, Reserved};

/// One network of a registry.
pub(super) struct Row {
    pub(super) first: u128,
    /// Prefix length in bits of its own family.
    pub(super) length: u8,
    /// `None`: ordinary addresses.
    pub(super) range: Option<SpecialRange>,
}

impl Row {
    /// The last address; `bits` are those of the family.
    pub(super) fn last(&self, bits: u8) -> u128 {
        self.first
            | u128::MAX
                .checked_shr((128 - bits + self.length).into())
                .unwrap_or(0)
    }
}

const fn v4(octets: [u8; 4], length: u8, range: Option<SpecialRange>) -> Row {
    let [a, b, c, d] = octets;
    Row {
        first: Ipv4Addr::new(a, b, c, d).to_bits() as u128,
        length,
        range,
    }
}

const fn v6(segments: [u16; 8], length: u8, range: Option<SpecialRange>) -> Row {
    let [a, b, c, d, e, f, g, h] = segments;
    Row {
        first: Ipv6Addr::new(a, b, c, d, e, f, g, h).to_bits(),
        length,
        range,
    }
}

pub(super) const V4: &[Row] = &[
    v4([0, 0, 0, 0], 8, Some(Reserved)),          // RFC 791, 3.2
    v4([10, 0, 0, 0], 8, Some(Private)),          // RFC 1918
    v4([100, 64, 0, 0], 10, Some(Cgnat)),         // RFC 6598
    v4([127, 0, 0, 0], 8, Some(Loopback)),        // RFC 1122, 3.2.1.3
    v4([169, 254, 0, 0], 16, Some(LinkLocal)),    // RFC 3927
    v4([172, 16, 0, 0], 12, Some(Private)),       // RFC 1918
    v4([192, 0, 0, 0], 24, Some(Reserved)),       // RFC 6890, 2.1
    v4([192, 0, 0, 0], 29, Some(Reserved)),       // RFC 7335
    v4([192, 0, 0, 8], 32, Some(Reserved)),       // RFC 7600
    v4([192, 0, 0, 9], 32, Some(Reserved)),       // PCP anycast, RFC 7723
    v4([192, 0, 0, 10], 32, Some(Reserved)),      // TURN anycast, RFC 8155
    v4([192, 0, 0, 170], 31, Some(Reserved)),     // RFC 8880, RFC 7050
    v4([192, 0, 2, 0], 24, Some(Reserved)),       // RFC 5737
    v4([192, 31, 196, 0], 24, Some(Reserved)),    // AS112, RFC 7535
    v4([192, 52, 193, 0], 24, Some(Reserved)),    // AMT, RFC 7450
    v4([192, 88, 99, 0], 24, Some(Reserved)),     // deprecated 6to4 relays, RFC 7526
    v4([192, 88, 99, 2], 32, Some(Reserved)),     // RFC 6751
    v4([192, 168, 0, 0], 16, Some(Private)),      // RFC 1918
    v4([192, 175, 48, 0], 24, Some(Reserved)),    // AS112, RFC 7534
    v4([198, 18, 0, 0], 15, Some(Reserved)),      // RFC 2544
    v4([198, 51, 100, 0], 24, Some(Reserved)),    // RFC 5737
    v4([203, 0, 113, 0], 24, Some(Reserved)),     // RFC 5737
    v4([224, 0, 0, 0], 4, Some(Multicast)),       // RFC 5771
    v4([240, 0, 0, 0], 4, Some(Reserved)),        // RFC 1112, 4
    v4([255, 255, 255, 255], 32, Some(Reserved)), // RFC 8190, RFC 919, 7
];

pub(super) const V6: &[Row] = &[
    v6([0, 0, 0, 0, 0, 0, 0, 0], 0, Some(Reserved)), // RFC 4291, 2.4
    v6([0, 0, 0, 0, 0, 0, 0, 0], 128, Some(Reserved)), // RFC 4291, 2.5.2
    v6([0, 0, 0, 0, 0, 0, 0, 1], 128, Some(Loopback)), // RFC 4291, 2.5.3
    v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96, Some(Reserved)), // RFC 4291, 2.5.5.2
    v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96, None),  // NAT64, RFC 6052
    v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, Some(Reserved)), // RFC 8215
    v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64, Some(Reserved)), // RFC 6666
    v6([0x100, 0, 0, 1, 0, 0, 0, 0], 64, Some(Reserved)), // RFC 9780
    v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3, None),      // global unicast, RFC 4291, 2.4
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, Some(Reserved)), // RFC 2928
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32, Some(Reserved)), // Teredo, RFC 4380
    v6([0x2001, 1, 0, 0, 0, 0, 0, 1], 128, Some(Reserved)), // PCP anycast, RFC 7723
    v6([0x2001, 1, 0, 0, 0, 0, 0, 2], 128, Some(Reserved)), // TURN anycast, RFC 8155
    v6([0x2001, 1, 0, 0, 0, 0, 0, 3], 128, Some(Reserved)), // DNS-SD anycast, RFC 9665
    v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48, Some(Reserved)), // RFC 5180
    v6([0x2001, 3, 0, 0, 0, 0, 0, 0], 32, Some(Reserved)), // AMT, RFC 7450
    v6([0x2001, 4, 0x112, 0, 0, 0, 0, 0], 48, Some(Reserved)), // AS112, RFC 7535
    v6([0x2001, 0x10, 0, 0, 0, 0, 0, 0], 28, Some(Reserved)), // deprecated ORCHID, RFC 4843
    v6([0x2001, 0x20, 0, 0, 0, 0, 0, 0], 28, Some(Reserved)), // ORCHIDv2, RFC 7343
    v6([0x2001, 0x30, 0, 0, 0, 0, 0, 0], 28, Some(Reserved)), // drone tags, RFC 9374
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, Some(Reserved)), // RFC 3849
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, Some(Reserved)), // 6to4, RFC 3056
    v6([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48, Some(Reserved)), // AS112, RFC 7534
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, Some(Reserved)), // RFC 9637
    v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16, Some(Reserved)), // RFC 9602
    v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, Some(Private)), // RFC 4193
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, Some(LinkLocal)), // RFC 4291, 2.5.6
    v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, Some(Multicast)), // RFC 4291, 2.7
];

/// Addresses of metadata and platform services, as the clouds' own documentation gives them.
pub(super) const METADATA_V4: &[u128] = &[
    address4([169, 254, 169, 254]), // AWS, Azure, GCP, OCI, IBM, DigitalOcean, Hetzner, Vultr, OpenStack
    address4([169, 254, 169, 253]), // AWS: DNS
    address4([169, 254, 169, 123]), // AWS: NTP
    address4([169, 254, 170, 2]),   // AWS: credentials of ECS tasks
    address4([169, 254, 170, 23]),  // AWS: EKS Pod Identity
    address4([168, 63, 129, 16]),   // Azure: WireServer; a public address
    address4([100, 100, 100, 200]), // Alibaba Cloud
    address4([192, 0, 0, 192]),     // Oracle Cloud Classic
    address4([169, 254, 42, 42]),   // Scaleway
    // Told of, not seen in a source: without a name of their own `link-local` or `cgnat` would open
    // them.
    address4([169, 254, 0, 23]),  // Tencent Cloud
    address4([100, 100, 2, 136]), // Alibaba Cloud: DNS
    address4([100, 100, 2, 138]), // Alibaba Cloud: DNS
];

/// The same for IPv6.
pub(super) const METADATA_V6: &[u128] = &[
    address6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]), // AWS
    address6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23]),  // AWS: EKS Pod Identity
    address6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]),  // GCP
    address6([0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42]),   // Scaleway
    // Told of, not seen in a source, as above.
    address6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x253]), // AWS: DNS
    address6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x123]), // AWS: NTP
    address6([0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe]), // Oracle Cloud
    address6([0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe]), // OpenStack
];

const fn address4(octets: [u8; 4]) -> u128 {
    v4(octets, 32, None).first
}

const fn address6(segments: [u16; 8]) -> u128 {
    v6(segments, 128, None).first
}
