//! Encoded records on their way to a sink.

use super::record::Severity;

/// Encoded records, one after the other, in the order of their places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    bytes: Vec<u8>,
    marks: Vec<Mark>,
}

/// What is known of an encoded record without decoding it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its number in the queue of its sink: ever growing, and with gaps where records were lost.
    pub place: Place,
    /// `event.sequence`.
    pub sequence: u64,
    /// How much attention it deserves.
    pub severity: Severity,
    /// When it happened, nanoseconds since the Unix epoch.
    pub at_ns: i64,
    /// Where it ends in the bytes of the batch.
    end: usize,
}

/// The number of a record in the queue of a sink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub u64);

impl Place {
    /// The place after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A record of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// See [`Mark::place`].
    pub place: Place,
    /// See [`Mark::sequence`].
    pub sequence: u64,
    /// See [`Mark::severity`].
    pub severity: Severity,
    /// See [`Mark::at_ns`].
    pub at_ns: i64,
    /// As the encoder wrote it; text ends with a line feed.
    pub payload: &'a [u8],
}

impl Item<'_> {
    /// The payload without the line feed that ends a line.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        self.payload.strip_suffix(b"\n").unwrap_or(self.payload)
    }
}

impl Batch {
    /// Adds a record at the end.
    pub fn push(&mut self, item: Item<'_>) {
        self.bytes.extend_from_slice(item.payload);
        self.marks.push(Mark {
            place: item.place,
            sequence: item.sequence,
            severity: item.severity,
            at_ns: item.at_ns,
            end: self.bytes.len(),
        });
    }

    /// All records, as they were encoded.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.marks.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// The place of the first record.
    #[must_use]
    pub fn first(&self) -> Option<Place> {
        self.marks.first().map(|mark| mark.place)
    }

    /// The place of the last record.
    #[must_use]
    pub fn last(&self) -> Option<Place> {
        self.marks.last().map(|mark| mark.place)
    }

    /// The records in order.
    pub fn items(&self) -> impl DoubleEndedIterator<Item = Item<'_>> + ExactSizeIterator {
        (0..self.marks.len()).map(|index| self.item(index))
    }

    /// The records from `from` to before `to`, counted from 0, as a batch of their own.
    #[must_use]
    pub fn part(&self, from: usize, to: usize) -> Self {
        let mut part = Self::default();
        self.items()
            .take(to)
            .skip(from)
            .for_each(|item| part.push(item));
        part
    }

    /// Gives the records consecutive places from `first` on; says which place comes next.
    pub(super) fn number(&mut self, first: Place) -> Place {
        let mut place = first;
        for mark in &mut self.marks {
            mark.place = place;
            place = place.next();
        }
        place
    }

    fn item(&self, index: usize) -> Item<'_> {
        let mark = self.marks[index];
        let start = index
            .checked_sub(1)
            .map_or(0, |before| self.marks[before].end);
        Item {
            place: mark.place,
            sequence: mark.sequence,
            severity: mark.severity,
            at_ns: mark.at_ns,
            payload: &self.bytes[start..mark.end],
        }
    }
}
