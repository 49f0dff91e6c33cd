//! What is wrong with a policy, where, and how to put it right.

use std::{fmt, path::Path, sync::Arc};

use serde::Serialize;

use super::{
    model::Position,
    source::{Source, Span},
};

mod code;
mod render;

pub use code::{Code, Severity};
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

    pub(super) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help(help);
        self
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

    /// The form for machines.
    #[must_use]
    pub fn finding(&self) -> Finding {
        let (start, end) = (self.position(), self.end());
        Finding {
            file: start.file.display().to_string(),
            line: start.line,
            column: start.column,
            end_line: end.line,
            end_column: end.column,
            severity: self.severity(),
            code: self.code,
            message: self.message.clone(),
            help: self.help.clone(),
        }
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

/// A [`Diagnostic`] as plain data. Lines and columns count from 1, columns in characters; the end
/// is exclusive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// As given on the command line.
    pub file: String,
    /// First line.
    pub line: u32,
    /// First column.
    pub column: u32,
    /// Last line.
    pub end_line: u32,
    /// Column after the last one.
    pub end_column: u32,
    /// Whether it keeps the policies from being loaded.
    pub severity: Severity,
    /// Stable name of the kind of finding.
    pub code: Code,
    /// What is wrong.
    pub message: String,
    /// How to put it right.
    pub help: Option<String>,
}

/// All findings of one load, in the order of the files and of the places in them.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    findings: Vec<Diagnostic>,
    errors: usize,
}

impl Diagnostics {
    pub(super) fn push(&mut self, diagnostic: Diagnostic) -> &mut Diagnostic {
        if diagnostic.severity() == Severity::Error {
            self.errors += 1;
        }
        let index = self.findings.len();
        self.findings.push(diagnostic);
        &mut self.findings[index]
    }

    /// Orders the findings of each file by place; the order of files stays.
    pub(super) fn sort(&mut self) {
        let mut files: Vec<Arc<Path>> = Vec::new();
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
