use jiff::{Timestamp, civil::Date};

use crate::policy::{Minute, diagnostic::Code, read::Reader, source::Node};

/// Reads a day.
pub(super) fn date(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<Date> {
    let text = reader.text(node, what)?;
    let date = day(text);
    if date.is_none() {
        let message = format!("`{text}` is not a date");
        reader
            .report(Code::InvalidDate, node.span, message)
            .help("write year, month and day: `2026-11-22`");
    }
    date
}

/// Reads the end of a span of time: a day belongs to it, a minute does not.
pub(super) fn end(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<Minute> {
    let text = reader.text(node, what)?;
    let after = day(text).and_then(|day| day.tomorrow().ok());
    let end = after.map(Minute::start_of).or_else(|| minute(text));
    if end.is_none() {
        let message = format!("`{text}` is neither a date nor a time");
        reader
            .report(Code::InvalidDate, node.span, message)
            .help("write the last day, `2026-11-22`, or a minute of UTC, `2026-11-22T17:30Z`");
    }
    end
}

/// The parser of dates takes more forms of ISO 8601 than a reader would expect.
fn day(text: &str) -> Option<Date> {
    Some(text)
        .filter(|text| text.len() == "2026-11-22".len())
        .and_then(|text| text.parse().ok())
}

fn minute(text: &str) -> Option<Minute> {
    let whole = text.strip_suffix('Z')?;
    Some(whole)
        .filter(|text| text.len() == "2026-11-22T17:30".len())
        .and_then(|text| format!("{text}:00Z").parse::<Timestamp>().ok())
        .map(Minute::of)
}
