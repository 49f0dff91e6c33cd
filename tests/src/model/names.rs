//! Names and providers, pattern by pattern and endpoint by endpoint.

use enforcer::policy::{Endpoint, NamePattern, Peer, Provider};

use super::{Address, World, agreed, in_any, says};

/// Whether a name of a message is what a pattern says. Upper and lower case do not differ (RFC 4343).
fn matches(pattern: &NamePattern, name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    match pattern {
        NamePattern::Exact(exact) => name == **exact,
        NamePattern::Below(suffix) => name
            .strip_suffix(&**suffix)
            .and_then(|below| below.strip_suffix('.'))
            .is_some_and(|below| !below.is_empty()),
    }
}

fn in_list(list: &[NamePattern], name: &str) -> bool {
    list.iter().any(|pattern| matches(pattern, name))
}

/// Whether a name of the address is among the peer's, and, where the peer has providers, whether the
/// address is one of a provider that `takes` takes.
pub(super) fn names_and_providers(
    peer: &Peer,
    takes: &dyn Fn(&Provider) -> bool,
    world: &World<'_>,
    address: Address,
    names: &[&str],
) -> bool {
    let wanted = |name: &str| peer.fqdns.as_ref().is_none_or(|list| in_list(list, name));
    let any_name = peer.fqdns.is_none() || names.iter().any(|name| wanted(name));
    let Some(providers) = &peer.providers else {
        return any_name;
    };
    let mut endpoints = providers
        .iter()
        .filter(|provider| takes(provider))
        .flat_map(|provider| &provider.endpoints)
        .filter(|endpoint| processes_inside(peer, endpoint));
    endpoints.any(|endpoint| {
        let by_name = names
            .iter()
            .any(|name| wanted(name) && in_list(&endpoint.hosts, name));
        by_name || any_name && has_address(endpoint, world, address)
    })
}

/// A provider that does not say where it processes is nowhere.
fn processes_inside(peer: &Peer, endpoint: &Endpoint) -> bool {
    [peer.regions, peer.countries]
        .into_iter()
        .flatten()
        .all(|wanted| {
            endpoint
                .processing
                .is_some_and(|places| places.iter().all(|place| wanted.contains(place)))
        })
}

fn has_address(endpoint: &Endpoint, world: &World<'_>, address: Address) -> bool {
    let asns: Vec<_> = says(world.geo, address)
        .iter()
        .filter_map(|said| said.asn)
        .collect();
    in_any(&endpoint.cidrs, address)
        || !endpoint.asns.is_empty()
            && agreed(world.geo.agreement, &asns, |asn| {
                endpoint.asns.contains(asn)
            })
}
