//! How many addresses.

use std::{fmt, net::IpAddr};

use enforcer_common::abi::{Addr, Family};
use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use crate::geo::flat::Address as _;

/// Addresses of one family, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    /// The first.
    pub first: Addr,
    /// The last.
    pub last: Addr,
}

impl AddressRange {
    /// How many addresses; one less for all of IPv6.
    #[must_use]
    pub fn addresses(&self) -> u128 {
        (number(self.last) - number(self.first)).saturating_add(1)
    }

    /// IPv6 networks of 64 bits that it lies in.
    fn networks(&self) -> u64 {
        let (first, last) = (self.first.halves().0, self.last.halves().0);
        (last - first).saturating_add(1)
    }

    /// Its parts between `starts`: the first address, and others of the range in any order.
    pub(in crate::geo) fn cut(&self, starts: Vec<Addr>) -> Vec<Self> {
        let mut starts: Vec<u128> = starts.into_iter().map(number).collect();
        starts.sort_unstable();
        starts.dedup();
        let lasts = starts.iter().skip(1).map(|next| next - 1);
        let lasts = lasts.chain([number(self.last)]);
        let part = |(&first, last): (&u128, u128)| Self {
            first: first.addr(),
            last: last.addr(),
        };
        starts.iter().zip(lasts).map(part).collect()
    }
}

fn number(address: Addr) -> u128 {
    let (hi, lo) = address.halves();
    u128::from(hi) << 64 | u128::from(lo)
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |address: Addr| IpAddr::from(address.octets()).to_canonical();
        match self.addresses() {
            1 => write!(f, "{}", text(self.first)),
            _ => write!(f, "{}-{}", text(self.first), text(self.last)),
        }
    }
}

/// What some ranges add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    ranges: u64,
    v4: u128,
    v6: u128,
    networks: u64,
    largest: Vec<AddressRange>,
}

impl Extent {
    /// How many of the largest ranges are kept as examples.
    const EXAMPLES: usize = 3;

    /// Adds a range.
    pub fn add(&mut self, range: AddressRange) {
        self.ranges += 1;
        match range.first.family() {
            Family::V4(_) => self.v4 += range.addresses(),
            Family::V6(..) => {
                self.v6 = self.v6.saturating_add(range.addresses());
                self.networks = self.networks.saturating_add(range.networks());
            }
        }
        let at = self
            .largest
            .partition_point(|known| weight(known) >= weight(&range));
        if at < Self::EXAMPLES {
            self.largest.insert(at, range);
            self.largest.truncate(Self::EXAMPLES);
        }
    }

    /// How many IPv4 addresses.
    #[must_use]
    pub fn addresses(&self) -> u64 {
        self.v4 as u64
    }

    /// How many IPv6 networks of 64 bits, parts counted as whole ones.
    #[must_use]
    pub fn networks(&self) -> u64 {
        self.networks
    }

    /// How many ranges.
    #[must_use]
    pub fn ranges(&self) -> u64 {
        self.ranges
    }

    /// The largest of them.
    #[must_use]
    pub fn largest(&self) -> &[AddressRange] {
        &self.largest
    }

    /// For order: an IPv4 address weighs as much as an IPv6 /64.
    #[must_use]
    pub fn weight(&self) -> u128 {
        self.v4 + (self.v6 >> 64)
    }
}

fn weight(range: &AddressRange) -> u128 {
    match range.first.family() {
        Family::V4(_) => range.addresses(),
        Family::V6(..) => range.addresses() >> 64,
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if self.v4 > 0 {
            parts.push(format!("{} IPv4 addresses", self.v4));
        }
        match self.v6 {
            0 => {}
            addresses if addresses < 1 << 80 => parts.push(format!("{addresses} IPv6 addresses")),
            addresses => parts.push(format!("{:.1} IPv6 /48", addresses as f64 / 2_f64.powi(80))),
        }
        let ranges = if self.ranges == 1 { "range" } else { "ranges" };
        write!(f, "{} in {} {ranges}", parts.join(" and "), self.ranges)
    }
}

/// Numbers of IPv6 as text: JSON readers lose digits beyond 2^53.
impl Serialize for Extent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Extent", 4)?;
        fields.serialize_field("ranges", &self.ranges)?;
        fields.serialize_field("ipv4_addresses", &self.addresses())?;
        fields.serialize_field("ipv6_addresses", &self.v6.to_string())?;
        let largest: Vec<_> = self.largest.iter().map(ToString::to_string).collect();
        fields.serialize_field("largest", &largest)?;
        fields.end()
    }
}
