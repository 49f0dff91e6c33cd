//! Host names and patterns of them.

use enforcer_common::names::{MAX_NAME_BYTES, MAX_SUFFIX_LABELS};

use crate::policy::{diagnostic::Code, name::NamePattern, read::Reader, source::Node};

/// Most bytes of a label (RFC 1035, 2.3.4).
const MAX_LABEL: usize = 63;

const FORMS: &str =
    "write a name such as `api.example.com`, or `*.example.com` for every name below";

/// Reads a list of host names.
pub(super) fn hosts(reader: &mut Reader<'_>, node: &Node, what: &'static str) -> Vec<NamePattern> {
    let items = reader.list(node, what).iter();
    items.filter_map(|item| host(reader, item, what)).collect()
}

/// Reads one host name or pattern of host names.
pub(super) fn host(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<NamePattern> {
    let text = reader.text(node, what)?;
    match parse(text) {
        Ok(pattern) => Some(pattern),
        Err(help) => {
            let message = format!("`{text}` is not a host name");
            reader
                .report(Code::InvalidHost, node.span, message)
                .help(help);
            None
        }
    }
}

/// The error says how to put it right.
fn parse(text: &str) -> Result<NamePattern, String> {
    if let Some((scheme, rest)) = text.split_once("://") {
        let host = rest.split(['/', ':', '?']).next().unwrap_or_default();
        return Err(format!("leave `{scheme}://` and the path out: `{host}`"));
    }
    if text.parse::<std::net::IpAddr>().is_ok() {
        return Err(format!("that is an address: write `cidrs: [\"{text}\"]`"));
    }
    if let Some((host, port)) = text.rsplit_once(':')
        && port.bytes().all(|byte| byte.is_ascii_digit())
    {
        return Err(format!("write `{host}`, and the port in `ports`"));
    }
    if let Some((host, _)) = text.split_once('/') {
        return Err(format!("a policy sees no paths: `{host}`"));
    }
    let (below, name) = match text.strip_prefix("*.") {
        Some(suffix) => (true, suffix),
        None => (false, text),
    };
    if name.contains('*') {
        return Err(match text {
            "*" => "to match every address, leave `peers` out".to_owned(),
            _ => "`*` stands for whole labels, at the start: `*.example.com`".to_owned(),
        });
    }
    let name = ascii(name)?;
    let labels = name.split('.').count();
    if below && labels > MAX_SUFFIX_LABELS {
        return Err(format!(
            "at most {MAX_SUFFIX_LABELS} labels may follow `*.`, and these are {labels}"
        ));
    }
    let name = name.into();
    Ok(if below {
        NamePattern::Below(name)
    } else {
        NamePattern::Exact(name)
    })
}

/// As it stands in a DNS message, in lower case.
fn ascii(name: &str) -> Result<String, String> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let ascii = if name.is_ascii() {
        name.to_ascii_lowercase()
    } else {
        idna::domain_to_ascii(name).map_err(|_| FORMS.to_owned())?
    };
    // A label's length octet more than its dots, and the root.
    if ascii.len() + 2 > usize::from(MAX_NAME_BYTES) {
        return Err("a name has at most 253 letters".to_owned());
    }
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    for label in ascii.split('.') {
        if label.is_empty() {
            return Err("a label between the dots is empty".to_owned());
        }
        if label.len() > MAX_LABEL {
            return Err(format!("a label has at most {MAX_LABEL} letters"));
        }
        if !label.bytes().all(known) || label.starts_with('-') || label.ends_with('-') {
            return Err(FORMS.to_owned());
        }
    }
    Ok(ascii)
}
