//! `spec.tag`.

use enforcer_common::abi::SocketTag;

use crate::policy::{
    diagnostic::Code,
    read::{Reader, closest},
    source::Node,
};

/// Code points by name: RFC 2474 (DF, CS), RFC 2597 (AF), RFC 3246 (EF), RFC 5865 (VOICE-ADMIT) and
/// RFC 8622 (LE), as in IANA's dscp-registry.
const CODE_POINTS: [(&str, u8); 24] = [
    ("DF", 0),
    ("CS0", 0),
    ("LE", 1),
    ("CS1", 8),
    ("AF11", 10),
    ("AF12", 12),
    ("AF13", 14),
    ("CS2", 16),
    ("AF21", 18),
    ("AF22", 20),
    ("AF23", 22),
    ("CS3", 24),
    ("AF31", 26),
    ("AF32", 28),
    ("AF33", 30),
    ("CS4", 32),
    ("AF41", 34),
    ("AF42", 36),
    ("AF43", 38),
    ("CS5", 40),
    ("VOICE-ADMIT", 44),
    ("EF", 46),
    ("CS6", 48),
    ("CS7", 56),
];

/// Reads a mapping of `mark` and `dscp`.
pub(super) fn tag(reader: &mut Reader<'_>, node: &Node) -> SocketTag {
    let Some(mut fields) = reader.fields(node, "`tag`") else {
        return SocketTag::NONE;
    };
    let (mark, dscp) = (fields.take("mark"), fields.take("dscp"));
    reader.finish(fields);
    if mark.is_none() && dscp.is_none() {
        reader
            .report(Code::MissingField, node.span, "`tag` says nothing")
            .help("give it `mark`, `dscp` or both, or remove it");
    }
    SocketTag::new(
        mark.and_then(|node| number(reader, node)),
        dscp.and_then(|node| code_point(reader, node)),
    )
}

fn number(reader: &mut Reader<'_>, node: &Node) -> Option<u32> {
    let text = reader.text(node, "`mark`")?;
    let number = match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    if number.is_err() {
        let message = format!("`{text}` is not a socket mark");
        reader
            .report(Code::UnknownValue, node.span, message)
            .help("a mark has 32 bits: write it as `0x5e0` or `1504`");
    }
    number.ok()
}

fn code_point(reader: &mut Reader<'_>, node: &Node) -> Option<u8> {
    let text = reader.text(node, "`dscp`")?;
    let named = CODE_POINTS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text));
    let value = match named {
        Some(&(_, value)) => Some(value),
        None => text.parse().ok().filter(|&value: &u8| value < 64),
    };
    if value.is_none() {
        let message = format!("`{text}` is not a code point of differentiated services");
        let diagnostic = reader.report(Code::UnknownValue, node.span, message);
        match closest(text, CODE_POINTS.iter().map(|&(name, _)| name)) {
            Some(name) => diagnostic.help(format!("did you mean `{name}`?")),
            None => diagnostic.help("write a name such as `AF21` or `EF`, or a number below 64"),
        };
    }
    value
}
