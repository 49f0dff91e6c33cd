//! Addresses. One of the three places that tell IPv4 from IPv6.

use core::net::IpAddr;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// An IP address: 16 bytes in network order, IPv4 as `::ffff:a.b.c.d`.
///
/// Two big-endian halves rather than bytes: the kernel programs copy and compare them as such.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Addr([u64; 2]);

const _: () = assert!(size_of::<Addr>() == 16);

/// Where an address is looked up: the IPv4 table or the IPv6 table.
///
/// Numbers are in host order, so that ranges compare as integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// An IPv4 address.
    V4(u32),
    /// An IPv6 address, as its high and low 64 bits.
    V6(u64, u64),
}

/// What an IPv6 address says of an IPv4 destination inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmbeddedV4 {
    /// An ordinary address.
    None,
    /// The packet ends at this IPv4 address and nowhere else: v4-mapped (RFC 4291), NAT64
    /// (RFC 6052), 6to4 (RFC 3056), Teredo (RFC 4380), ISATAP on a link-local prefix (RFC 5214).
    Only(u32),
    /// ISATAP on a routable prefix (RFC 5214). Whether a router on the way unwraps it or the
    /// prefix's owner receives it cannot be told from the address, so both must be permitted:
    /// otherwise any host in a disallowed network could take an interface identifier that reads
    /// as an allowed IPv4 address.
    Also(u32),
}

/// A NAT64 prefix of RFC 6052, besides the well-known `64:ff9b::/96`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Nat64Prefix {
    /// High 64 bits, host order.
    pub hi: u64,
    /// Low 64 bits, host order. Only a /96 has any.
    pub lo: u64,
    /// Prefix length in bits: 32, 40, 48, 56, 64 or 96 (RFC 6052, 2.2).
    pub len: u32,
    /// Always zero.
    pub reserved: u32,
}

impl Nat64Prefix {
    /// The prefix lengths RFC 6052, 2.2 allows.
    pub const LENGTHS: [u32; 6] = [32, 40, 48, 56, 64, 96];

    /// The IPv4 address that `(hi, lo)` carries under this prefix.
    #[inline(always)]
    #[must_use]
    pub fn unwrap(&self, hi: u64, lo: u64) -> Option<u32> {
        if self.len == 96 {
            return (hi == self.hi && lo >> 32 == self.lo >> 32).then_some(lo as u32);
        }
        if self.len > 64 || self.len == 0 || (hi ^ self.hi) >> (64 - self.len) != 0 {
            return None;
        }
        // Bits 64..71 are the `u` octet and carry nothing: drop them, then take the 32 bits that
        // follow the prefix.
        let joined_lo = lo << 8;
        let taken = match self.len {
            64 => joined_lo >> 32,
            len => ((hi << len) | (joined_lo >> (64 - len))) >> 32,
        };
        Some(taken as u32)
    }
}

impl PartialOrd for Addr {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Addr {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.halves().cmp(&other.halves())
    }
}

impl core::fmt::Debug for Addr {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.family() {
            Family::V4(v4) => write!(f, "{}", core::net::Ipv4Addr::from(v4)),
            Family::V6(..) => write!(f, "{}", core::net::Ipv6Addr::from(self.octets())),
        }
    }
}

impl Addr {
    /// An IPv4 address from its four octets.
    #[inline(always)]
    #[must_use]
    pub const fn from_v4(octets: [u8; 4]) -> Self {
        Self::from_halves(0, 0xffff_0000_0000 | u32::from_be_bytes(octets) as u64)
    }

    /// An IPv6 address from its sixteen octets. `::ffff:a.b.c.d` is the IPv4 address.
    #[inline(always)]
    #[must_use]
    pub const fn from_v6(octets: [u8; 16]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = octets;
        Self([
            u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
            u64::from_ne_bytes([i, j, k, l, m, n, o, p]),
        ])
    }

    /// The sixteen octets, network order.
    #[inline(always)]
    #[must_use]
    pub const fn octets(self) -> [u8; 16] {
        let [hi, lo] = self.0;
        let [a, b, c, d, e, f, g, h] = hi.to_ne_bytes();
        let [i, j, k, l, m, n, o, p] = lo.to_ne_bytes();
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
    }

    /// The high and the low 64 bits, host order.
    #[inline(always)]
    #[must_use]
    pub const fn halves(self) -> (u64, u64) {
        let [hi, lo] = self.0;
        (u64::from_be(hi), u64::from_be(lo))
    }

    /// An address from its [`halves`](Self::halves).
    #[inline(always)]
    #[must_use]
    pub const fn from_halves(hi: u64, lo: u64) -> Self {
        Self([hi.to_be(), lo.to_be()])
    }

    /// The table to look in, with v4-mapped addresses as IPv4.
    #[inline(always)]
    #[must_use]
    pub fn family(self) -> Family {
        let (hi, lo) = self.halves();
        if hi == 0 && lo >> 32 == 0xffff {
            Family::V4(lo as u32)
        } else {
            Family::V6(hi, lo)
        }
    }

    /// The IPv4 destination inside an IPv6 address, by the well-known forms.
    ///
    /// Prefixes of the operator's own NAT64 are looked at by the verdict, which knows them.
    #[inline(always)]
    #[must_use]
    pub fn embedded(hi: u64, lo: u64) -> EmbeddedV4 {
        const NAT64: u64 = 0x0064_ff9b_0000_0000;
        if hi == NAT64 && lo >> 32 == 0 {
            return EmbeddedV4::Only(lo as u32);
        }
        if hi >> 48 == 0x2002 {
            return EmbeddedV4::Only((hi >> 16) as u32);
        }
        if hi >> 32 == 0x2001_0000 {
            // The client's address is stored inverted (RFC 4380, 4).
            return EmbeddedV4::Only(!(lo as u32));
        }
        // The interface identifier is `[02]00:5efe:a.b.c.d`; the `u` bit tells a global address.
        if (lo >> 32) & 0xfdff_ffff == 0x0000_5efe {
            let link_local = hi >> 54 == 0xfe80 >> 6;
            return if link_local {
                EmbeddedV4::Only(lo as u32)
            } else {
                EmbeddedV4::Also(lo as u32)
            };
        }
        EmbeddedV4::None
    }

    /// Whether a packet to this address cannot leave the host: 127.0.0.0/8 and ::1.
    #[inline(always)]
    #[must_use]
    pub fn is_loopback(self) -> bool {
        match self.family() {
            Family::V4(v4) => v4 >> 24 == 127,
            Family::V6(hi, lo) => hi == 0 && lo == 1,
        }
    }
}

impl From<IpAddr> for Addr {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self::from_v4(v4.octets()),
            IpAddr::V6(v6) => Self::from_v6(v6.octets()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Addr, EmbeddedV4, Family, Nat64Prefix};

    const V4: u32 = 0xc000_0221; // 192.0.2.33, the example of RFC 6052, 2.4

    #[test]
    fn v4_is_v4_mapped() {
        let addr = Addr::from_v4([192, 0, 2, 33]);
        assert_eq!(addr.family(), Family::V4(V4));
        assert_eq!(Addr::from_v6(addr.octets()).family(), Family::V4(V4));
    }

    /// The table of RFC 6052, 2.4.
    #[test]
    fn nat64_prefixes_of_every_length() {
        let cases = [
            (32, 0x2001_0db8_0000_0000, 0x2001_0db8_c000_0221, 0),
            (
                40,
                0x2001_0db8_0100_0000,
                0x2001_0db8_01c0_0002,
                0x0021_0000_0000_0000,
            ),
            (
                48,
                0x2001_0db8_0122_0000,
                0x2001_0db8_0122_c000,
                0x0002_2100_0000_0000,
            ),
            (
                56,
                0x2001_0db8_0122_0300,
                0x2001_0db8_0122_03c0,
                0x0000_0221_0000_0000,
            ),
            (
                64,
                0x2001_0db8_0122_0344,
                0x2001_0db8_0122_0344,
                0x00c0_0002_2100_0000,
            ),
            (
                96,
                0x2001_0db8_0122_0344,
                0x2001_0db8_0122_0344,
                0x0000_0000_c000_0221,
            ),
        ];
        for (len, prefix, hi, lo) in cases {
            let prefix = Nat64Prefix {
                hi: prefix,
                lo: 0,
                len,
                reserved: 0,
            };
            assert_eq!(prefix.unwrap(hi, lo), Some(V4), "/{len}");
            assert_eq!(prefix.unwrap(hi ^ (1 << 63), lo), None, "/{len}");
        }
    }

    #[test]
    fn well_known_embeddings() {
        let v4 = u64::from(V4);
        assert_eq!(
            Addr::embedded(0x0064_ff9b_0000_0000, v4),
            EmbeddedV4::Only(V4)
        );
        assert_eq!(
            Addr::embedded(0x2002_0000_0000_0000 | v4 << 16, 1),
            EmbeddedV4::Only(V4)
        );
        assert_eq!(
            Addr::embedded(0x2001_0000_0102_0304, !v4),
            EmbeddedV4::Only(V4)
        );
        assert_eq!(
            Addr::embedded(0xfe80 << 48, 0x5efe << 32 | v4),
            EmbeddedV4::Only(V4)
        );
        assert_eq!(
            Addr::embedded(0x2600 << 48, 0x5efe << 32 | v4),
            EmbeddedV4::Also(V4)
        );
        assert_eq!(
            Addr::embedded(0x2600 << 48, 0x0200_5efe << 32 | v4),
            EmbeddedV4::Also(V4)
        );
        assert_eq!(Addr::embedded(0x2600 << 48, 1), EmbeddedV4::None);
    }

    #[test]
    fn loopback_in_every_spelling() {
        assert!(Addr::from_v4([127, 0, 0, 1]).is_loopback());
        assert!(Addr::from_v4([127, 255, 255, 255]).is_loopback());
        assert!(!Addr::from_v4([128, 0, 0, 0]).is_loopback());
        let mut one = [0; 16];
        one[15] = 1;
        assert!(Addr::from_v6(one).is_loopback());
    }
}
