//! Special-purpose ranges of the IANA registries, by name.
//!
//! The most specific row of the registries decides, with one exception: a metadata address is
//! [`SpecialRange::Metadata`] whatever it lies in.

mod registry;

use std::sync::LazyLock;

use enforcer_common::abi::{Addr, Family};

use registry::{METADATA_V4, METADATA_V6, Row, V4, V6};

/// A named special-purpose range. Such an address is never in a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpecialRange {
    /// 127.0.0.0/8, ::1.
    Loopback,
    /// RFC 1918, fc00::/7.
    Private,
    /// 100.64.0.0/10 (RFC 6598).
    Cgnat,
    /// 169.254.0.0/16, fe80::/10.
    LinkLocal,
    /// Metadata services of the clouds, wherever they are. Wins over all others.
    Metadata,
    /// 224.0.0.0/4, ff00::/8.
    Multicast,
    /// Everything else that the registries reserve.
    Reserved,
}

impl SpecialRange {
    /// Every range with the name that policies use.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Loopback, "loopback"),
        (Self::Private, "private"),
        (Self::Cgnat, "cgnat"),
        (Self::LinkLocal, "link-local"),
        (Self::Metadata, "metadata"),
        (Self::Multicast, "multicast"),
        (Self::Reserved, "reserved"),
    ];

    /// By the name that policies use.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (range, _) = Self::ALL.into_iter().find(|&(_, known)| known == name)?;
        Some(range)
    }

    /// The name that policies use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::Cgnat => "cgnat",
            Self::LinkLocal => "link-local",
            Self::Metadata => "metadata",
            Self::Multicast => "multicast",
            Self::Reserved => "reserved",
        }
    }
}

static FLAT_V4: LazyLock<Vec<(u32, Option<SpecialRange>)>> = LazyLock::new(|| {
    // Numbers of IPv4 fit by construction.
    let flat = flatten(V4, METADATA_V4, 32).into_iter();
    flat.map(|(start, range)| (start as u32, range)).collect()
});
static FLAT_V6: LazyLock<Vec<(u128, Option<SpecialRange>)>> =
    LazyLock::new(|| flatten(V6, METADATA_V6, 128));

/// The range that an address is in; `None` for ordinary addresses.
///
/// An IPv4 address inside IPv6 is looked up as what it is written as, except for `::ffff:a.b.c.d`,
/// which is the IPv4 address; [`GeoSet::locate`](super::GeoSet::locate) unwraps the others first.
#[must_use]
pub fn of(address: Addr) -> Option<SpecialRange> {
    match address.family() {
        Family::V4(v4) => at(&FLAT_V4, v4),
        Family::V6(hi, lo) => at(&FLAT_V6, u128::from(hi) << 64 | u128::from(lo)),
    }
}

fn at<T: Copy + Ord>(flat: &[(T, Option<SpecialRange>)], address: T) -> Option<SpecialRange> {
    let after = flat.partition_point(|&(start, _)| start <= address);
    flat.get(after.checked_sub(1)?)?.1
}

/// All of IPv4 as starts of ranges, ascending: the first is 0 and neighbours differ.
#[must_use]
pub fn flat_v4() -> &'static [(u32, Option<SpecialRange>)] {
    &FLAT_V4
}

/// All of IPv6 as starts of ranges, ascending: the first is 0 and neighbours differ.
#[must_use]
pub fn flat_v6() -> &'static [(u128, Option<SpecialRange>)] {
    &FLAT_V6
}

fn flatten(rows: &[Row], metadata: &[u128], bits: u8) -> Vec<(u128, Option<SpecialRange>)> {
    let last = u128::MAX >> (128 - bits);
    let row_bounds = rows.iter().map(|row| (row.first, row.last(bits)));
    let metadata_bounds = metadata.iter().map(|&address| (address, address));
    let mut starts = vec![0];
    for (first, end) in row_bounds.chain(metadata_bounds) {
        starts.push(first);
        if end < last {
            starts.push(end + 1);
        }
    }
    starts.sort_unstable();
    starts.dedup();

    let mut flat: Vec<_> = starts
        .into_iter()
        .map(|start| (start, decide(rows, metadata, bits, start)))
        .collect();
    flat.dedup_by_key(|&mut (_, range)| range);
    flat
}

fn decide(rows: &[Row], metadata: &[u128], bits: u8, address: u128) -> Option<SpecialRange> {
    if metadata.contains(&address) {
        return Some(SpecialRange::Metadata);
    }
    rows.iter()
        .filter(|row| row.first <= address && address <= row.last(bits))
        .max_by_key(|row| row.length)?
        .range
}

#[cfg(test)]
mod tests;
