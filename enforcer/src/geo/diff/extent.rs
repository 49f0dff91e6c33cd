//! How many addresses.

use std::{fmt, net::IpAddr};

use enforcer_common::abi::{Addr, Family};
use serde::{Serialize, Serializer, ser::SerializeStruct as _};

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
            Family::V6(..) => self.v6 = self.v6.saturating_add(range.addresses()),
        }
        let at = self
            .largest
            .partition_point(|known| weight(known) >= weight(&range));
        if at < Self::EXAMPLES {
            self.largest.insert(at, range);
            self.largest.truncate(Self::EXAMPLES);
        }
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
        fields.serialize_field("ipv4_addresses", &(self.v4 as u64))?;
        fields.serialize_field("ipv6_addresses", &self.v6.to_string())?;
        let largest: Vec<_> = self.largest.iter().map(ToString::to_string).collect();
        fields.serialize_field("largest", &largest)?;
        fields.end()
    }
}
