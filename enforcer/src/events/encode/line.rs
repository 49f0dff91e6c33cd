//! JSON that stays on its line, whoever reads it.

use std::io;

use serde::Serialize;
use serde_json::{Serializer, ser::Formatter};

/// Appends `value` as one line of JSON, and a line feed.
///
/// # Errors
/// `value` cannot be JSON; nothing is appended then.
pub(super) fn append(value: &impl Serialize, out: &mut Vec<u8>) -> serde_json::Result<()> {
    let start = out.len();
    let result = value.serialize(&mut Serializer::with_formatter(&mut *out, OneLine));
    match result {
        Ok(()) => out.push(b'\n'),
        Err(_) => out.truncate(start),
    }
    result
}

/// JSON requires control characters below U+0020 to be escaped. Readers also take U+0085, U+2028 and
/// U+2029 for ends of lines, and terminals obey other controls and reorder text on bidirectional
/// marks: a process must not forge or hide a line by its name.
struct OneLine;

impl Formatter for OneLine {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if fragment.is_ascii() {
            return writer.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        while let Some(at) = rest.find(disturbs) {
            let (before, after) = rest.split_at(at);
            writer.write_all(before.as_bytes())?;
            let mut chars = after.chars();
            if let Some(char) = chars.next() {
                // All of them are in the basic plane: four digits suffice.
                write!(writer, "\\u{:04x}", u32::from(char))?;
            }
            rest = chars.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}

fn disturbs(char: char) -> bool {
    matches!(char,
        '\u{80}'..='\u{9f}'
        | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::append;

    #[test]
    fn hostile_text_stays_on_its_line_and_is_not_changed() {
        let text = "a\n\u{85}\u{2028}\u{202e}\u{0}\"\\é\u{1f600}";
        let mut out = Vec::new();
        append(&text, &mut out).expect("a string");
        let line = String::from_utf8(out).expect("UTF-8");
        assert_eq!(
            line,
            "\"a\\n\\u0085\\u2028\\u202e\\u0000\\\"\\\\é\u{1f600}\"\n"
        );
        assert_eq!(serde_json::from_str::<String>(&line).expect("JSON"), text);
    }
}
