//! Typed reading of the node tree. Every reader reports what is wrong and goes on, so that one run
//! finds every mistake of a file; what it returns after a report is not used.

use std::sync::Arc;

use super::{
    diagnostic::{Code, Diagnostic, Diagnostics},
    source::{Entry, Node, Source, Span, Value},
};

/// Reads nodes of one file and collects what is wrong with them.
pub(super) struct Reader<'r> {
    pub(super) source: &'r Arc<Source>,
    pub(super) diagnostics: &'r mut Diagnostics,
}

/// The fields of one mapping. What is not taken when [`Reader::finish`] comes is unknown.
#[must_use = "unknown fields are only reported by `Reader::finish`"]
pub(super) struct Fields<'n> {
    /// What the mapping is, for messages.
    what: &'static str,
    span: Span,
    rest: Vec<&'n Entry>,
    known: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// The value of a field that may be absent.
    pub(super) fn take(&mut self, name: &'static str) -> Option<&'n Node> {
        self.known.push(name);
        let at = self.rest.iter().position(|entry| entry.key == name)?;
        Some(&self.rest.remove(at).value)
    }
}

impl Reader<'_> {
    pub(super) fn report(
        &mut self,
        code: Code,
        span: Span,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.diagnostics
            .push(Diagnostic::at(code, self.source, span, message))
    }

    /// The fields of a mapping. Call [`Reader::finish`] when all known ones are taken.
    pub(super) fn fields<'n>(&mut self, node: &'n Node, what: &'static str) -> Option<Fields<'n>> {
        match &node.value {
            Value::Mapping(entries) => Some(Fields {
                what,
                span: node.span,
                rest: entries.iter().collect(),
                known: Vec::new(),
            }),
            Value::Invalid => None,
            Value::Scalar { .. } | Value::Sequence(_) => {
                let found = describe(node);
                let message = format!("{what} must be a mapping of fields, not {found}");
                self.report(Code::WrongType, node.span, message);
                None
            }
        }
    }

    /// The value of a field that must be there.
    pub(super) fn require<'n>(
        &mut self,
        fields: &mut Fields<'n>,
        name: &'static str,
    ) -> Option<&'n Node> {
        let value = fields.take(name);
        if value.is_none() {
            let message = format!("{} has no `{name}`", fields.what);
            self.report(Code::MissingField, fields.span, message)
                .help(format!("add the field `{name}`"));
        }
        value
    }

    /// Reports a field, if it is given, that other documents have at this place, and what to do instead.
    pub(super) fn refuse(&mut self, fields: &mut Fields<'_>, name: &'static str, help: &str) {
        let Some(at) = fields.rest.iter().position(|entry| entry.key == name) else {
            return;
        };
        let entry = fields.rest.remove(at);
        let message = format!("{} of this kind of document has no `{name}`", fields.what);
        self.report(Code::UnknownField, entry.key_span, message)
            .help(help);
    }

    /// Reports every field that was not asked for.
    pub(super) fn finish(&mut self, fields: Fields<'_>) {
        for entry in &fields.rest {
            let message = format!("unknown field `{}` in {}", entry.key, fields.what);
            let diagnostic = self.report(Code::UnknownField, entry.key_span, message);
            match closest(&entry.key, fields.known.iter().copied()) {
                Some(name) => diagnostic.help(format!("did you mean `{name}`?")),
                None => diagnostic.help(format!("known fields: {}", fields.known.join(", "))),
            };
        }
    }

    /// Text that is not empty. Numbers and `true` are text too.
    pub(super) fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        match &node.value {
            Value::Scalar { text, .. } if !node.is_null() && !text.trim().is_empty() => {
                Some(text.as_str())
            }
            Value::Invalid => None,
            Value::Scalar { .. } | Value::Sequence(_) | Value::Mapping(_) => {
                let message = format!("{what} must be text, not {}", describe(node));
                self.report(Code::WrongType, node.span, message);
                None
            }
        }
    }

    /// The elements of a list that is not empty.
    pub(super) fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        let items = self.possibly_empty_list(node, what);
        if items.is_empty() && matches!(node.value, Value::Sequence(_)) {
            self.report(Code::EmptyList, node.span, format!("{what} is empty"))
                .help("name at least one, or remove the field");
        }
        items
    }

    /// The elements of a list.
    pub(super) fn possibly_empty_list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        match &node.value {
            Value::Sequence(items) => items,
            Value::Invalid => &[],
            Value::Scalar { text, .. } => {
                let message = format!("{what} must be a list, not {}", describe(node));
                let diagnostic = self.report(Code::WrongType, node.span, message);
                if !node.is_null() {
                    diagnostic.help(format!("write `[{text}]`"));
                }
                &[]
            }
            Value::Mapping(_) => {
                let message = format!("{what} must be a list, not {}", describe(node));
                self.report(Code::WrongType, node.span, message)
                    .help("start each element with `- `");
                &[]
            }
        }
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        node: &Node,
        what: &str,
        choices: &[(&'static str, T)],
    ) -> Option<T> {
        let text = self.text(node, what)?;
        if let Some(&(_, value)) = choices.iter().find(|(name, _)| *name == text) {
            return Some(value);
        }
        let names = || choices.iter().map(|&(name, _)| name);
        let message = format!("`{text}` is not a value of {what}");
        let diagnostic = self.report(Code::UnknownValue, node.span, message);
        match closest(text, names()) {
            Some(name) => diagnostic.help(format!("did you mean `{name}`?")),
            None => diagnostic.help(format!(
                "one of: {}",
                names().collect::<Vec<_>>().join(", ")
            )),
        };
        None
    }

    /// A name: an RFC 1123 label.
    pub(super) fn name<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        let text = self.text(node, what)?;
        if is_label(text) {
            return Some(text);
        }
        let message = format!("{what} is not a name: `{text}`");
        let diagnostic = self.report(Code::InvalidName, node.span, message);
        let rule =
            "a name has 1 to 63 of a-z, 0-9 and `-`, and starts and ends with a letter or digit";
        match as_label(text) {
            Some(label) => diagnostic.help(format!("{rule}: `{label}`")),
            None => diagnostic.help(rule),
        };
        None
    }
}

/// The candidate that `given` is probably a misspelling of.
pub(super) fn closest<'c>(
    given: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    // A whole file may end up in one scalar, and the distance is quadratic.
    if given.len() > 64 {
        return None;
    }
    let plain = |text: &str| text.to_lowercase().replace(['-', '_', ' '], "");
    let given = plain(given);
    candidates
        .into_iter()
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&given, &plain(candidate));
            (distance, candidate)
        })
        .filter(|&(distance, candidate)| distance <= (candidate.len() / 3).max(1))
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

fn describe(node: &Node) -> &'static str {
    match &node.value {
        Value::Scalar { .. } if node.is_null() => "nothing",
        Value::Scalar { text, .. } if text.trim().is_empty() => "empty text",
        Value::Scalar { .. } => "a single value",
        Value::Sequence(_) => "a list",
        Value::Mapping(_) => "a mapping",
        Value::Invalid => "that",
    }
}

/// RFC 1123 label, lower case as in DNS names of Kubernetes.
fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.len() <= 63
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
        && !text.is_empty()
}

fn as_label(text: &str) -> Option<String> {
    let spelled: String = text
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let label = spelled.trim_matches('-');
    is_label(label).then(|| label.to_owned())
}
