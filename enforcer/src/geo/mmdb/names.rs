//! Names of autonomous systems, in two allocations: there are a hundred thousand of them.

use crate::geo::Asn;

/// Names of autonomous systems as a database gives them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AsNames {
    text: String,
    /// Ascending by number; each name ends where its offset says and starts where the one added
    /// before it ends.
    spans: Vec<(Asn, u32, u32)>,
}

impl AsNames {
    /// The organisation that holds `asn`.
    #[must_use]
    pub fn get(&self, asn: Asn) -> Option<&str> {
        let at = self.spans.binary_search_by_key(&asn, |span| span.0).ok()?;
        let (_, start, end) = self.spans[at];
        self.text.get(start as usize..end as usize)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether the database has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }
}

/// Collects names in the order of the database.
#[derive(Default)]
pub(super) struct Builder(AsNames);

impl Builder {
    pub(super) fn add(&mut self, asn: Asn, name: &str) {
        let start = self.0.text.len() as u32;
        self.0.text.push_str(name);
        self.0.spans.push((asn, start, self.0.text.len() as u32));
    }

    /// The first name of a number wins.
    pub(super) fn finish(mut self) -> AsNames {
        self.0.spans.sort_unstable();
        self.0.spans.dedup_by_key(|span| span.0);
        self.0
    }
}
