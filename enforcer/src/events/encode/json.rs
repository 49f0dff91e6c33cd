//! JSON that stays on its line, whoever reads it.

use std::fmt::{self, Write as _};

/// An object that is being written. Fields come in the order of the calls.
///
/// Names of fields are written as they are: they are literals of this crate, plain ASCII.
pub(super) struct Object<'a> {
    out: &'a mut Vec<u8>,
    begun: bool,
}

/// Appends an object whose fields `fill` writes.
#[inline]
pub(super) fn object(out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
    out.push(b'{');
    let mut object = Object {
        out: &mut *out,
        begun: false,
    };
    fill(&mut object);
    out.push(b'}');
}

/// Fields for [`Object::fields`].
pub(super) fn fields(fill: impl FnOnce(&mut Object<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    object(&mut out, fill);
    out.pop();
    out.remove(0);
    out
}

impl Object<'_> {
    // Inlined, a literal's length is known, and its copy is a few stores instead of three calls:
    // a line has some sixty names.
    #[inline(always)]
    fn name(&mut self, name: &'static str) {
        if self.begun {
            self.out.push(b',');
        }
        self.begun = true;
        self.out.reserve(name.len() + 3);
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    /// A field that is an object.
    #[inline]
    pub(super) fn object(&mut self, name: &'static str, fill: impl FnOnce(&mut Object<'_>)) {
        self.name(name);
        object(self.out, fill);
    }

    /// A field that is an array of objects.
    pub(super) fn objects<T>(
        &mut self,
        name: &'static str,
        items: impl IntoIterator<Item = T>,
        mut fill: impl FnMut(&mut Object<'_>, T),
    ) {
        self.array(name, items, |out, item| {
            object(out, |object| fill(object, item));
        });
    }

    /// A field that is a string.
    #[inline(always)]
    pub(super) fn text(&mut self, name: &'static str, value: &str) {
        self.name(name);
        string(self.out, value);
    }

    /// A field that is a word of this crate: ASCII without quotes, backslashes and controls.
    #[inline(always)]
    pub(super) fn word(&mut self, name: &'static str, value: &'static str) {
        self.plain(name, value.as_bytes());
    }

    /// Fields that were written before, without the braces around them.
    pub(super) fn fields(&mut self, written: &[u8]) {
        if self.begun {
            self.out.push(b',');
        }
        self.begun = true;
        self.out.extend_from_slice(written);
    }

    /// A field that is a string, where there is one.
    pub(super) fn maybe(&mut self, name: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// A field that is a string of what `value` shows.
    pub(super) fn shown(&mut self, name: &'static str, value: impl fmt::Display) {
        self.name(name);
        self.out.push(b'"');
        // Writing to memory cannot fail, and no value of this crate fails to show itself.
        let _ = write!(Escaping(self.out), "{value}");
        self.out.push(b'"');
    }

    /// A field that is a string of ASCII without quotes, backslashes and controls.
    #[inline(always)]
    pub(super) fn plain(&mut self, name: &'static str, value: &[u8]) {
        self.name(name);
        self.out.push(b'"');
        self.out.extend_from_slice(value);
        self.out.push(b'"');
    }

    /// A field that is a number.
    #[inline]
    pub(super) fn number(&mut self, name: &'static str, value: impl itoa::Integer) {
        self.name(name);
        let mut digits = itoa::Buffer::new();
        self.out.extend_from_slice(digits.format(value).as_bytes());
    }

    /// A field that is `true` or `false`.
    pub(super) fn flag(&mut self, name: &'static str, value: bool) {
        self.name(name);
        self.out
            .extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// A field that is an array of strings.
    pub(super) fn texts<'t>(
        &mut self,
        name: &'static str,
        values: impl IntoIterator<Item = &'t str>,
    ) {
        self.array(name, values, string);
    }

    fn array<T>(
        &mut self,
        name: &'static str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Vec<u8>, T),
    ) {
        self.name(name);
        self.out.push(b'[');
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            write(self.out, item);
        }
        self.out.push(b']');
    }
}

fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    escape(out, text);
    out.push(b'"');
}

struct Escaping<'a>(&'a mut Vec<u8>);

impl fmt::Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escape(self.0, text);
        Ok(())
    }
}

/// JSON requires control characters below U+0020 to be escaped. Readers also take U+0085, U+2028 and
/// U+2029 for ends of lines, and terminals obey other controls and reorder text on bidirectional
/// marks: a process must not forge or hide a line by its name.
fn escape(out: &mut Vec<u8>, text: &str) {
    let mut rest = text;
    while let Some(at) = first_special(rest.as_bytes()) {
        let (before, after) = rest.split_at(at);
        out.extend_from_slice(before.as_bytes());
        let mut chars = after.chars();
        if let Some(char) = chars.next() {
            escape_char(out, char);
        }
        rest = chars.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
}

fn escape_char(out: &mut Vec<u8>, char: char) {
    match char {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        '\u{8}' => out.extend_from_slice(b"\\b"),
        '\u{c}' => out.extend_from_slice(b"\\f"),
        _ if disturbs(char) => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            // All of them are in the basic plane: four digits suffice.
            let code = u32::from(char) as usize;
            let digit = |shift: usize| HEX[code >> shift & 0xf];
            out.extend_from_slice(b"\\u");
            out.extend_from_slice(&[digit(12), digit(8), digit(4), digit(0)]);
        }
        _ => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

/// Characters that end lines, control terminals or reorder text, besides those that JSON escapes.
pub(super) fn disturbs(char: char) -> bool {
    matches!(char,
        '\0'..='\u{1f}'
        | '\u{7f}'..='\u{9f}'
        | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}')
}

/// Where the first byte stands that cannot be copied without a look: quotes, backslashes, controls
/// and everything beyond ASCII.
fn first_special(bytes: &[u8]) -> Option<usize> {
    /// As many as a vector register of any machine takes at once.
    const AT_ONCE: usize = 16;
    let special = |byte: u8| !(0x20..0x7f).contains(&byte) || byte == b'"' || byte == b'\\';
    let mut done = 0;
    for chunk in bytes.chunks(AT_ONCE) {
        if chunk.iter().fold(false, |any, &byte| any | special(byte)) {
            return chunk
                .iter()
                .position(|&byte| special(byte))
                .map(|at| done + at);
        }
        done += chunk.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
    use serde_json::Value;

    use super::object;

    fn line(text: &str) -> String {
        let mut out = Vec::new();
        object(&mut out, |object| object.text("a", text));
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn hostile_text_stays_on_its_line_and_is_not_changed() {
        assert_eq!(
            line("a\n\u{85}\u{2028}\u{202e}\u{0}\"\\é\u{1f600}"),
            "{\"a\":\"a\\n\\u0085\\u2028\\u202e\\u0000\\\"\\\\é\u{1f600}\"}"
        );
    }

    #[test]
    fn all_kinds_of_fields() {
        let mut out = Vec::new();
        object(&mut out, |all| {
            all.object("empty", |_| {});
            all.maybe("absent", None);
            all.number("number", u64::MAX);
            all.shown("shown", format_args!("{}\"", 7));
            all.plain("plain", b"x");
            all.flag("flag", true);
            all.texts("texts", ["a", "b"]);
        });
        let expected = r#"{"empty":{},"number":18446744073709551615,"shown":"7\"","plain":"x","flag":true,"texts":["a","b"]}"#;
        assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in any::<String>()) {
            let line = line(&text);
            prop_assert!(!line.contains(super::disturbs));
            let value: Value = serde_json::from_str(&line).expect("JSON");
            prop_assert_eq!(&value["a"], &Value::from(text));
        }
    }
}
