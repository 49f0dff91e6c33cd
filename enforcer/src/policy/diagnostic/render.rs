use std::ops::Range;

use annotate_snippets::{
    Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet, normalize_untrusted_str,
};

use super::{Diagnostic, Severity};
use crate::policy::source::{Source, Span};

/// More findings than this are counted, not shown: nobody reads on, and a generated file of a
/// hundred thousand wrong lines would print for minutes.
const SHOWN: usize = 100;

/// Longest line, in bytes, that is shown. Generated files may have all of a policy on one.
const LONGEST_LINE: usize = 2000;

/// Whether excerpts are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// ANSI colours.
    Always,
    /// Plain text.
    Never,
}

pub(super) fn render(diagnostics: &[Diagnostic], color: Color) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics.iter().take(SHOWN) {
        text += &one(diagnostic, color);
        text += "\n\n";
    }
    let hidden = diagnostics.len().saturating_sub(SHOWN);
    if hidden > 0 {
        text += &format!("and {hidden} more, which the JSON form lists\n");
    }
    let of = |severity| {
        diagnostics
            .iter()
            .filter(|one| one.severity() == severity)
            .count()
    };
    let counts = [Severity::Error, Severity::Warning]
        .map(|severity| (of(severity), severity.as_str()))
        .into_iter()
        .filter(|&(count, _)| count > 0)
        .map(|(count, noun)| format!("{count} {noun}{}", if count == 1 { "" } else { "s" }));
    text + &counts.collect::<Vec<_>>().join(", ")
}

/// A finding with an excerpt of its file.
pub(super) fn one(diagnostic: &Diagnostic, color: Color) -> String {
    let renderer = match color {
        Color::Always => Renderer::styled(),
        Color::Never => Renderer::plain(),
    };
    let rendered = renderer.render(&[group(diagnostic)]);
    // The renderer escapes C0 controls only; terminals obey those of ISO 6429's C1 set too.
    rendered.replace(|c| ('\u{80}'..='\u{9f}').contains(&c), "\u{fffd}")
}

fn group(diagnostic: &Diagnostic) -> Group<'_> {
    let level = match diagnostic.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    // Messages quote the file, which may hold escape sequences.
    let title = level
        .primary_title(normalize_untrusted_str(&diagnostic.message))
        .id(diagnostic.code.as_str());
    let mark = AnnotationKind::Primary;
    let mut group = match diagnostic.span {
        Some(span) => excerpt(
            Group::with_title(title),
            &diagnostic.source,
            span,
            |range| mark.span(range),
        ),
        None => title.element(Origin::path(path(&diagnostic.source))),
    };
    if let Some(also) = &diagnostic.also {
        let mark = AnnotationKind::Context;
        group = excerpt(group, &also.source, also.span, |range| {
            mark.span(range).label(also.label)
        });
    }
    match &diagnostic.help {
        Some(help) => group.element(Level::HELP.message(normalize_untrusted_str(help))),
        None => group,
    }
}

/// Adds the first line of `span`: a mapping may go on for pages.
fn excerpt<'s>(
    group: Group<'s>,
    source: &'s Source,
    span: Span,
    mark: impl FnOnce(Range<usize>) -> Annotation<'s>,
) -> Group<'s> {
    let (start, line) = source.line(span.start);
    let place = source.position(span.start);
    if line.len() > LONGEST_LINE {
        let origin = Origin::path(path(source))
            .line(place.line as usize)
            .char_column(place.column as usize);
        return group.element(origin);
    }
    let first = (span.start - start).min(line.len());
    let last = (span.end - start).min(line.len());
    let snippet = Snippet::source(line)
        .line_start(place.line as usize)
        .path(path(source))
        .annotation(mark(first..last));
    group.element(snippet)
}

fn path(source: &Source) -> String {
    normalize_untrusted_str(&source.path().display().to_string())
}
