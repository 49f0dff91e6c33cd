//! Places in policy files that findings of later stages point at.

use std::sync::Arc;

use super::{
    model::Position,
    source::{Source, Span},
};

/// A stretch of a file that was read, kept with its text so that a finding can quote it.
#[derive(Clone, Debug)]
pub struct Place {
    pub(super) source: Arc<Source>,
    pub(super) span: Span,
}

impl Place {
    /// Where it starts.
    #[must_use]
    pub fn position(&self) -> Position {
        self.source.position(self.span.start)
    }
}

/// Every file of one load, with its text.
#[derive(Clone, Debug, Default)]
pub struct Sources(pub(super) Vec<Arc<Source>>);

impl Sources {
    /// From `position` to the end of its line; `None` when the file is not one of these.
    #[must_use]
    pub fn place(&self, position: &Position) -> Option<Place> {
        let source = self
            .0
            .iter()
            .find(|source| source.path() == &position.file)?;
        let start = source.offset(position)?;
        let (line, text) = source.line(start);
        let span = Span {
            start,
            end: line + text.trim_end().len(),
        };
        let source = Arc::clone(source);
        Some(Place { source, span })
    }
}
