//! YAML text to a tree whose every node knows its place.
//!
//! Scalars stay text: what `NO`, `010` or `1e3` mean is up to the field that reads them, not to
//! YAML, so Norway needs no quotes. Anchors, aliases and tags are refused: a value stands where it
//! holds, and ten lines cannot grow to gigabytes.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span as Marks, Tag};

use super::{Source, Span};
use crate::policy::diagnostic::{Code, Diagnostic, Diagnostics};

/// Deepest nesting of lists and mappings. A policy needs eight.
const MAX_DEPTH: usize = 32;

#[derive(Debug)]
pub(in crate::policy) struct Node {
    pub(in crate::policy) span: Span,
    pub(in crate::policy) value: Value,
}

#[derive(Debug)]
pub(in crate::policy) enum Value {
    /// `plain`: written without quotes.
    Scalar {
        text: String,
        plain: bool,
    },
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
    /// Something that was already reported.
    Invalid,
}

#[derive(Debug)]
pub(in crate::policy) struct Entry {
    pub(in crate::policy) key: String,
    pub(in crate::policy) key_span: Span,
    pub(in crate::policy) value: Node,
}

impl Node {
    /// Nothing, `~` or `null`.
    pub(in crate::policy) fn is_null(&self) -> bool {
        match &self.value {
            Value::Scalar { text, plain } => {
                *plain && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL")
            }
            Value::Sequence(_) | Value::Mapping(_) | Value::Invalid => false,
        }
    }

    /// A field of a mapping.
    pub(in crate::policy) fn field(&self, name: &str) -> Option<&Self> {
        let Value::Mapping(entries) = &self.value else {
            return None;
        };
        let named = |entry: &&Entry| entry.key == name;
        entries.iter().find(named).map(|entry| &entry.value)
    }

    /// The text of a scalar.
    pub(in crate::policy) fn scalar(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            Value::Sequence(_) | Value::Mapping(_) | Value::Invalid => None,
        }
    }
}

/// The documents of a file, empty ones left out. After a syntax error, those before it.
pub(in crate::policy) fn parse(source: &Arc<Source>, diagnostics: &mut Diagnostics) -> Vec<Node> {
    let before = diagnostics.len();
    let mut builder = Builder {
        source,
        diagnostics,
        offsets: Offsets::of(source.text()),
        open: Vec::new(),
        documents: Vec::new(),
    };
    builder.run();
    let documents = builder.documents;
    if documents.is_empty() && diagnostics.len() == before {
        let message = "no policy in this file: it is empty";
        diagnostics.push(Diagnostic::of_file(Code::Empty, source.path(), message));
    }
    documents
}

struct Builder<'s> {
    source: &'s Arc<Source>,
    diagnostics: &'s mut Diagnostics,
    offsets: Offsets,
    open: Vec<Open>,
    documents: Vec<Node>,
}

/// A list or mapping whose end has not come yet.
struct Open {
    start: Span,
    /// Keys and values alternate in a mapping.
    children: Vec<Node>,
    tagged: bool,
}

impl Builder<'_> {
    fn run(&mut self) {
        // The parser borrows the text while the tree is built from it.
        let source = Arc::clone(self.source);
        let mut parser = Parser::new_from_str(source.text());
        while let Some(event) = parser.next_event() {
            match event {
                Ok((Event::StreamEnd, _)) => return,
                Ok((event, marks)) => {
                    if self.event(event, marks).is_none() {
                        return;
                    }
                }
                Err(error) => return self.syntax_error(&error),
            }
        }
    }

    /// `None` ends the file.
    fn event(&mut self, event: Event<'_>, marks: Marks) -> Option<()> {
        let span = self.offsets.span(marks);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let span = self.without_trailing_space(span);
                let value = if self.refuse_feature(span, anchor, tag.as_ref()) {
                    Value::Invalid
                } else {
                    Value::Scalar {
                        text: text.into_owned(),
                        plain: style == ScalarStyle::Plain,
                    }
                };
                self.add(Node { span, value });
            }
            Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => {
                let tagged = self.refuse_feature(span, anchor, tag.as_ref());
                return self.open(span, tagged);
            }
            Event::SequenceEnd => self.close(span, |_, items| Value::Sequence(items)),
            Event::MappingEnd => self.close(span, Self::mapping),
            // Its anchor was reported.
            Event::Alias(_) => self.add(Node {
                span,
                value: Value::Invalid,
            }),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
        Some(())
    }

    fn open(&mut self, start: Span, tagged: bool) -> Option<()> {
        if self.open.len() == MAX_DEPTH {
            let message = format!("lists and mappings nest deeper than {MAX_DEPTH} levels");
            self.report(Code::TooDeep, start, message);
            return None;
        }
        self.open.push(Open {
            start,
            children: Vec::new(),
            tagged,
        });
        Some(())
    }

    fn close(&mut self, end: Span, value: fn(&mut Self, Vec<Node>) -> Value) {
        let Some(open) = self.open.pop() else {
            return;
        };
        // A block has no closing mark: the parser tells its end where the next token begins.
        let end = if end.start == end.end {
            open.children.last().map_or(open.start, |child| child.span)
        } else {
            end
        };
        let span = Span {
            start: open.start.start,
            end: end.end,
        };
        let value = value(self, open.children);
        self.add(Node {
            span,
            value: if open.tagged { Value::Invalid } else { value },
        });
    }

    fn mapping(&mut self, children: Vec<Node>) -> Value {
        let mut entries = Vec::with_capacity(children.len() / 2);
        let mut first: HashMap<String, Span> = HashMap::new();
        let mut children = children.into_iter();
        while let (Some(key), Some(value)) = (children.next(), children.next()) {
            let key_span = key.span;
            let Value::Scalar { text: key, .. } = key.value else {
                if !matches!(key.value, Value::Invalid) {
                    self.report(Code::WrongType, key_span, "a field name must be text");
                }
                continue;
            };
            if let Some(&first) = first.get(&key) {
                let source = Arc::clone(self.source);
                self.report(
                    Code::DuplicateField,
                    key_span,
                    format!("field `{key}` is given twice"),
                )
                .also(&source, first, "first given here");
                continue;
            }
            first.insert(key.clone(), key_span);
            entries.push(Entry {
                key,
                key_span,
                value,
            });
        }
        Value::Mapping(entries)
    }

    fn add(&mut self, node: Node) {
        match self.open.last_mut() {
            Some(open) => open.children.push(node),
            None if node.is_null() => {}
            None => self.documents.push(node),
        }
    }

    fn refuse_feature(&mut self, span: Span, anchor: usize, tag: Option<&Cow<'_, Tag>>) -> bool {
        if anchor != 0 {
            self.report(
                Code::YamlFeature,
                span,
                "anchors and aliases are not supported",
            )
            .help("write the value out at each place; quote a value that starts with `&`");
        } else if tag.is_some() {
            self.report(Code::YamlFeature, span, "tags are not supported")
                .help("leave the tag out; quote a value that starts with `!`");
        }
        anchor != 0 || tag.is_some()
    }

    fn syntax_error(&mut self, error: &ScanError) {
        let start = self.offsets.byte(error.marker().index());
        let span = Span { start, end: start };
        // To the parser this is an alias of an anchor that it does not know.
        if self.source.text()[start..].starts_with('*') {
            self.report(Code::YamlFeature, span, "aliases are not supported")
                .help("quote a value that starts with `*`");
            return;
        }
        let (line_start, line) = self.source.line(start);
        let indentation = line.len() - line.trim_start().len();
        let has_tab = line[..indentation].contains('\t');
        let message = format!("not valid YAML: {}", error.info());
        let diagnostic = self.report(Code::Syntax, span, message);
        if has_tab {
            diagnostic.help("indent with spaces: YAML allows no tabs there");
        } else if start == line_start + indentation {
            diagnostic.help("the mistake may be at the end of the line before");
        }
    }

    fn without_trailing_space(&self, span: Span) -> Span {
        let text = &self.source.text()[span.start..span.end];
        Span {
            start: span.start,
            end: span.start + text.trim_end().len(),
        }
    }

    fn report(&mut self, code: Code, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.diagnostics
            .push(Diagnostic::at(code, self.source, span, message))
    }
}

/// Character index, which the parser counts in, to byte offset.
enum Offsets {
    Ascii(usize),
    Unicode(Vec<usize>),
}

impl Offsets {
    fn of(text: &str) -> Self {
        if text.is_ascii() {
            return Self::Ascii(text.len());
        }
        let starts = text.char_indices().map(|(offset, _)| offset);
        Self::Unicode(starts.chain([text.len()]).collect())
    }

    fn byte(&self, index: usize) -> usize {
        match self {
            Self::Ascii(length) => index.min(*length),
            Self::Unicode(offsets) => offsets[index.min(offsets.len() - 1)],
        }
    }

    fn span(&self, marks: Marks) -> Span {
        let start = self.byte(marks.start.index());
        let end = self.byte(marks.end.index()).max(start);
        Span { start, end }
    }
}
