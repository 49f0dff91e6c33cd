use enforcer_common::abi::{Addr, RESOLVER_SLOTS};

use crate::policy::{
    diagnostic::Code,
    model::{Dns, Resolver},
    read::Reader,
    source::Node,
};

/// Reads `dns`.
pub(super) fn dns(reader: &mut Reader<'_>, node: &Node) -> Option<Dns> {
    let mut fields = reader.fields(node, "`dns`")?;
    let resolvers = reader.require(&mut fields, "resolvers");
    reader.finish(fields);
    let resolvers_node = resolvers?;
    let items = reader.list(resolvers_node, "`resolvers`");
    let resolvers: Vec<Resolver> = items
        .iter()
        .filter_map(|item| resolver(reader, item))
        .collect();
    if resolvers.len() > usize::from(RESOLVER_SLOTS) {
        let message = format!(
            "{} resolvers, and a policy has {RESOLVER_SLOTS}",
            resolvers.len()
        );
        reader
            .report(Code::TooMany, resolvers_node.span, message)
            .help("name those that the workloads ask");
    }
    Some(Dns {
        at: reader.source.position(node.span.start),
        resolvers,
    })
}

fn resolver(reader: &mut Reader<'_>, node: &Node) -> Option<Resolver> {
    let text = reader.text(node, "`resolvers`")?;
    if text == "cluster-dns" {
        return Some(Resolver::ClusterDns);
    }
    let address: Option<std::net::IpAddr> = text.parse().ok();
    if address.is_none() {
        let message = format!("`{text}` is not a resolver");
        reader
            .report(Code::InvalidResolver, node.span, message)
            .help("write an address, or `cluster-dns` for the resolvers of the node");
    }
    address.map(|address| Resolver::At(Addr::from(address)))
}
