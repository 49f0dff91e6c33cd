//! What is wrong with a policy, where, and how to put it right.

use std::{fmt, path::Path, sync::Arc};

use super::{
    model::Position,
    place::Place,
    source::{Source, Span},
};

mod code;
mod finding;
mod meaning;
mod render;

pub use code::{Code, Severity};
pub use finding::{Finding, Related};
pub use render::Color;

/// One finding.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    code: Code,
    message: String,
    help: Option<String>,
    source: Arc<Source>,
    /// `None` when the whole file is meant.
    span: Option<Span>,
    also: Option<Also>,
}

/// A second place that belongs to a finding.
#[derive(Clone, Debug)]
struct Also {
    source: Arc<Source>,
    span: Span,
    label: &'static str,
}

impl Diagnostic {
    /// A finding of a stage after reading.
    #[must_use]
    pub fn new(code: Code, place: &Place, message: impl Into<String>) -> Self {
        Self::at(code, &place.source, place.span, message)
    }

    /// Adds how to put it right.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help(help);
        self
    }

    /// Adds a second place, and what it is.
    #[must_use]
    pub fn with_related(mut self, place: &Place, label: &'static str) -> Self {
        self.also(&place.source, place.span, label);
        self
    }

    pub(super) fn at(
        code: Code,
        source: &Arc<Source>,
        span: Span,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code,
            message: shorten(message.into()),
            help: None,
            source: Arc::clone(source),
            span: Some(span),
            also: None,
        }
    }

    pub(super) fn of_file(code: Code, path: &Path, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            help: None,
            source: Source::new(path, String::new()),
            span: None,
            also: None,
        }
    }

    pub(super) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(shorten(help.into()));
        self
    }

    pub(super) fn also(&mut self, source: &Arc<Source>, span: Span, label: &'static str) {
        self.also = Some(Also {
            source: Arc::clone(source),
            span,
            label,
        });
    }

    /// What kind of finding it is.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// Whether it keeps the policies from being loaded.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }

    /// What is wrong: one sentence, lower case, without a full stop.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// How to put it right, where that is known.
    #[must_use]
    pub fn help_text(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// Where it starts; line 1, column 1 when the whole file is meant.
    #[must_use]
    pub fn position(&self) -> Position {
        self.source.position(self.span.map_or(0, |span| span.start))
    }

    /// The first place after it.
    #[must_use]
    pub fn end(&self) -> Position {
        self.source.position(self.span.map_or(0, |span| span.end))
    }

    /// A second place that belongs to it, and what it is.
    #[must_use]
    pub fn related(&self) -> Option<(Place, &'static str)> {
        self.also.as_ref().map(|also| {
            let place = Place {
                source: Arc::clone(&also.source),
                span: also.span,
            };
            (place, also.label)
        })
    }

    /// The form for machines.
    #[must_use]
    pub fn finding(&self) -> Finding {
        Finding::of(self)
    }

    /// For people, without colours: as [`Diagnostics::render`] shows it.
    #[must_use]
    pub fn rendered(&self) -> String {
        render::one(self, Color::Never)
    }
}

/// Messages quote the file, and a value may be as long as the file.
fn shorten(mut text: String) -> String {
    const LONGEST: usize = 400;
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
    text
}

/// All findings of one load, in the order of the files and of the places in them.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    findings: Vec<Diagnostic>,
    errors: usize,
    files: Vec<Arc<Path>>,
}

impl Diagnostics {
    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) -> &mut Diagnostic {
        if diagnostic.severity() == Severity::Error {
            self.errors += 1;
        }
        let index = self.findings.len();
        self.findings.push(diagnostic);
        &mut self.findings[index]
    }

    /// Orders the findings of each file by place; the order of files stays.
    pub(super) fn sort(&mut self) {
        let mut files = self.files.clone();
        let mut keyed: Vec<(usize, usize, Diagnostic)> = Vec::with_capacity(self.findings.len());
        for diagnostic in self.findings.drain(..) {
            let path = diagnostic.source.path();
            let file = files.iter().position(|file| file == path);
            let file = file.unwrap_or_else(|| {
                files.push(Arc::clone(path));
                files.len() - 1
            });
            keyed.push((
                file,
                diagnostic.span.map_or(0, |span| span.start),
                diagnostic,
            ));
        }
        keyed.sort_by_key(|&(file, start, _)| (file, start));
        self.findings
            .extend(keyed.into_iter().map(|(_, _, diagnostic)| diagnostic));
    }

    /// Adds what a later stage found in the same files.
    pub fn extend(&mut self, later: Self) {
        for diagnostic in later.findings {
            self.push(diagnostic);
        }
        self.sort();
    }

    /// Every file that was read, also those without findings.
    #[must_use]
    pub fn files(&self) -> &[Arc<Path>] {
        &self.files
    }

    pub(super) fn set_files(&mut self, files: Vec<Arc<Path>>) {
        self.files = files;
    }

    /// In the order of the files and of the places in them.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.findings.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.findings.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// How many of them are errors.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// For people: every finding with an excerpt of its file, and a last line that counts them.
    #[must_use]
    pub fn render(&self, color: Color) -> String {
        render::render(&self.findings, color)
    }
}

impl<'d> IntoIterator for &'d Diagnostics {
    type Item = &'d Diagnostic;
    type IntoIter = std::slice::Iter<'d, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Color::Never))
    }
}

impl std::error::Error for Diagnostics {}
