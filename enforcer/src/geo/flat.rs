//! Flat lists of ranges: where each starts, ascending from 0, with what holds from there on.

use std::iter;

use enforcer_common::abi::Addr;

use super::diff::AddressRange;

/// An address of one family, as flat lists have it.
pub(crate) trait Address: Copy + Ord {
    /// As an address of either family.
    fn addr(self) -> Addr;
    /// The one before it; the last of all before the first.
    fn before(self) -> Self;
    /// The last of all.
    const LAST: Self;
}

impl Address for u32 {
    const LAST: Self = Self::MAX;

    fn addr(self) -> Addr {
        Addr::from_v4(self.to_be_bytes())
    }

    fn before(self) -> Self {
        self.wrapping_sub(1)
    }
}

impl Address for u128 {
    const LAST: Self = Self::MAX;

    fn addr(self) -> Addr {
        Addr::from_halves((self >> 64) as u64, self as u64)
    }

    fn before(self) -> Self {
        self.wrapping_sub(1)
    }
}

/// Two flat lists laid over each other.
pub(crate) fn side_by_side<K: Copy + Ord, A: Copy, B: Copy>(
    a: &[(K, A)],
    b: &[(K, B)],
) -> impl Iterator<Item = (K, (A, B))> {
    let (mut at_a, mut at_b) = (0, 0);
    iter::from_fn(move || {
        let next_a = a.get(at_a).map(|&(start, _)| start);
        let next_b = b.get(at_b).map(|&(start, _)| start);
        let start = match (next_a, next_b) {
            (Some(a), Some(b)) => a.min(b),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => return None,
        };
        at_a += usize::from(next_a == Some(start));
        at_b += usize::from(next_b == Some(start));
        // Both lists start at 0, so both have a current range from the first round on.
        Some((start, (a[at_a - 1].1, b[at_b - 1].1)))
    })
}

/// A flat list as ranges with both their ends.
pub(crate) fn ranges<K: Address, V>(
    flat: impl IntoIterator<Item = (K, V)>,
) -> impl Iterator<Item = (AddressRange, V)> {
    let mut flat = flat.into_iter().peekable();
    iter::from_fn(move || {
        let (first, value) = flat.next()?;
        let last = flat.peek().map_or(K::LAST, |&(next, _)| next.before());
        let range = AddressRange {
            first: first.addr(),
            last: last.addr(),
        };
        Some((range, value))
    })
}
