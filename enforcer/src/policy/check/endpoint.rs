use std::sync::Arc;

use super::{cidr, host, peer, port};
use crate::policy::{
    data_flow::{FlowEndpoint, Target},
    diagnostic::Code,
    name::NamePattern,
    provider::Providers,
    read::Reader,
    source::Node,
};

/// Reads one element of `to`.
pub(super) fn endpoint(
    reader: &mut Reader<'_>,
    node: &Node,
    providers: &Providers,
) -> Option<FlowEndpoint> {
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
    let provider =
        provider_node.and_then(|node| peer::provider(reader, node, "`provider`", providers));
    let target = match (host, provider) {
        (Some(host), _) => Target::Host(host),
        (None, Some(provider)) => Target::Provider(provider),
        (None, None) => Target::Addresses,
    };
    let addresses =
        addresses.map_or_else(Vec::new, |node| cidr::cidrs(reader, node, "`addresses`"));
    let mut specs = Vec::new();
    for item in ports.map_or(&[][..], |node| reader.list(node, "`ports`")) {
        port::port(reader, item, &mut specs);
    }
    Some(FlowEndpoint {
        at: reader.place(node.span),
        target,
        addresses,
        ports: specs,
    })
}

fn host(reader: &mut Reader<'_>, node: &Node) -> Option<Arc<str>> {
    match host::host(reader, node, "`host`")? {
        NamePattern::Exact(name) => Some(name),
        NamePattern::Below(suffix) => {
            let message = format!("`*.{suffix}` is not the name of one host");
            reader
                .report(Code::InvalidHost, node.span, message)
                .help("a flow ends at one host: write its name");
            None
        }
    }
}
