//! A record on disk: a head that a reader finds again in damaged bytes, and the payload.
//!
//! | bytes | what (integers little-endian) |
//! |---|---|
//! | 0..4 | `EFR1` |
//! | 4..8 | CRC-32 (IEEE 802.3) of everything after it |
//! | 8..12 | length of the payload |
//! | 12..20 | place in the queue |
//! | 20..28 | when it happened, nanoseconds since the Unix epoch |
//! | 28..36 | `event.sequence` |
//! | 36 | severity, 0 to 3 |
//! | 37.. | payload |

use memchr::memmem;

use crate::events::{
    batch::{Item, Place},
    record::Severity,
};

const MAGIC: &[u8; 4] = b"EFR1";
const SUMMED: usize = 8;
const HEAD: usize = 37;
/// Longer records are damage: no encoder writes them.
const MOST_PAYLOAD: usize = 16 << 20;

/// How long a record is on disk.
pub(super) fn length(payload: usize) -> u64 {
    (HEAD + payload) as u64
}

/// Appends a record.
pub(super) fn write(out: &mut Vec<u8>, item: Item<'_>) {
    let start = out.len();
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&(item.payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&item.place.0.to_le_bytes());
    out.extend_from_slice(&item.at_ns.to_le_bytes());
    out.extend_from_slice(&item.sequence.to_le_bytes());
    out.push(item.severity as u8);
    out.extend_from_slice(item.payload);
    let sum = crc32fast::hash(&out[start + SUMMED..]);
    out[start + 4..start + SUMMED].copy_from_slice(&sum.to_le_bytes());
}

/// What stands at the front of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Front<'a> {
    /// A whole record, and how many bytes it takes.
    Record(Item<'a>, usize),
    /// Perhaps the beginning of one.
    Short,
    /// Something else.
    Damaged,
}

/// Looks at the front of `bytes`.
pub(super) fn front(bytes: &[u8]) -> Front<'_> {
    let Some((head, rest)) = bytes.split_at_checked(HEAD) else {
        return if MAGIC.starts_with(&bytes[..bytes.len().min(4)]) || bytes.starts_with(MAGIC) {
            Front::Short
        } else {
            Front::Damaged
        };
    };
    let payload = u32_at(head, 8) as usize;
    let severity = Severity::ALL.get(usize::from(head[36]));
    let (true, true, Some(&severity)) =
        (head.starts_with(MAGIC), payload <= MOST_PAYLOAD, severity)
    else {
        return Front::Damaged;
    };
    let Some(payload) = rest.get(..payload) else {
        return Front::Short;
    };
    let end = HEAD + payload.len();
    if crc32fast::hash(&bytes[SUMMED..end]) != u32_at(head, 4) {
        return Front::Damaged;
    }
    let item = Item {
        place: Place(u64_at(head, 12)),
        sequence: u64_at(head, 28),
        severity,
        at_ns: u64_at(head, 20).cast_signed(),
        payload,
    };
    Front::Record(item, end)
}

/// Where the next record may begin, behind the first byte.
pub(super) fn resume(bytes: &[u8]) -> usize {
    memmem::find(bytes.get(1..).unwrap_or_default(), MAGIC).map_or(bytes.len(), |at| at + 1)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

    use super::{Front, front, write};
    use crate::events::{
        batch::{Item, Place},
        record::Severity,
    };

    proptest! {
        #[test]
        fn a_record_comes_back_and_no_damaged_one(
            payload in prop::collection::vec(any::<u8>(), 0..200),
            place in any::<u64>(),
            at_ns in any::<i64>(),
            flip in any::<prop::sample::Index>(),
            bit in 0..8_u32,
        ) {
            let item = Item { place: Place(place), sequence: 1, severity: Severity::High, at_ns, payload: &payload };
            let mut bytes = Vec::new();
            write(&mut bytes, item);
            prop_assert_eq!(front(&bytes), Front::Record(item, bytes.len()));
            for short in 0..bytes.len() {
                prop_assert_eq!(front(&bytes[..short]), Front::Short);
            }
            let at = flip.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(!matches!(front(&bytes), Front::Record(..)));
        }
    }
}
