use super::{cidr, port};
use crate::policy::{
    data_flow::{Endpoint, Target},
    diagnostic::Code,
    read::Reader,
    source::Node,
};

/// Longest name of a host, in characters (RFC 1035, 2.3.4, without the root).
const LONGEST_HOST: usize = 253;

/// Reads one element of `to`.
pub(super) fn endpoint(reader: &mut Reader<'_>, node: &Node) -> Option<Endpoint> {
    let mut fields = reader.fields(node, "an element of `to`")?;
    let host_node = fields.take("host");
    let addresses = fields.take("addresses");
    let provider_node = fields.take("provider");
    let ports = reader.require(&mut fields, "ports");
    reader.finish(fields);
    match (host_node, addresses, provider_node) {
        (None, None, None) => {
            reader
                .report(
                    Code::MissingField,
                    node.span,
                    "an element of `to` names no endpoint",
                )
                .help("write `host`, `addresses` or `provider`");
        }
        (Some(_), _, Some(other)) | (None, Some(_), Some(other)) => {
            reader
                .report(
                    Code::WrongType,
                    other.span,
                    "an endpoint is a provider, or a host or addresses",
                )
                .help("start a new element with `- `");
        }
        _ => {}
    }
    let host = host_node.and_then(|node| host(reader, node));
    let provider = provider_node.and_then(|node| reader.name(node, "`provider`"));
    let target = match (host, provider) {
        (Some(host), _) => Target::Host(host.into()),
        (None, Some(provider)) => Target::Provider(provider.into()),
        (None, None) => Target::Addresses,
    };
    let addresses =
        addresses.map_or_else(Vec::new, |node| cidr::cidrs(reader, node, "`addresses`"));
    let mut specs = Vec::new();
    for item in ports.map_or(&[][..], |node| reader.list(node, "`ports`")) {
        port::port(reader, item, &mut specs);
    }
    Some(Endpoint {
        at: reader.place(node.span),
        target,
        addresses,
        ports: specs,
    })
}

/// A DNS name as applications look it up: ASCII (RFC 1123, 2.1; `_` as it occurs), lower case. One
/// that ends in a number is read as an address, whole or not, by many of them.
fn host(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let text = reader.text(node, "`host`")?;
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let help = if text.parse::<std::net::IpAddr>().is_ok() {
        "an address belongs into `addresses`"
    } else if text.contains("://") || text.contains('/') {
        "write the name of the host alone, without scheme and path"
    } else if text.contains(':') {
        "write the name alone; ports belong into `ports`"
    } else if text.contains('*') {
        "a flow ends at one host: write its name"
    } else if !text.is_ascii() {
        "write the name as DNS has it: `xn--...`"
    } else if !is_host(&name) {
        "write a DNS name, such as `api.example.com`"
    } else {
        return Some(name);
    };
    let message = format!("`{text}` is not a host name");
    reader
        .report(Code::InvalidHost, node.span, message)
        .help(help);
    None
}

fn is_host(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit());
    name.len() <= LONGEST_HOST && !is_number && name.split('.').all(is_label)
}
