//! Warnings about whole policies: they load, but hardly mean what they say.

use super::rule::ReadRule;
use crate::policy::{
    diagnostic::Code,
    model::{Action, Peer, PortSpec, Rule},
    read::Reader,
};

pub(super) fn rules(reader: &mut Reader<'_>, rules: &[ReadRule]) {
    for (index, later) in rules.iter().enumerate() {
        let rule = &later.rule;
        if rule.action == Action::Allow && rule.peers.is_empty() {
            let message = format!("rule `{}` has no peers: it allows every address", rule.name);
            reader
                .report(Code::AllowsEverywhere, later.name_span, message)
                .help("name the peers; `cidrs: [0.0.0.0/0, \"::/0\"]` says that every address is meant");
        }
        if let Some(earlier) = rules[..index].iter().find(|one| covers(&one.rule, rule)) {
            let message = format!(
                "rule `{}` decides nothing: rule `{}` matches all of it first",
                rule.name, earlier.rule.name
            );
            let source = reader.source;
            reader
                .report(Code::UnreachableRule, later.name_span, message)
                .help("the first matching rule wins: move this rule up, or remove it")
                .also(source, earlier.name_span, "this one decides");
        }
    }
}

/// Whether `earlier` matches everything that `later` does. Peers are only compared as written.
fn covers(earlier: &Rule, later: &Rule) -> bool {
    let peers = earlier.peers.is_empty()
        || !later.peers.is_empty()
            && later
                .peers
                .iter()
                .all(|peer| earlier.peers.iter().any(|other| same(peer, other)));
    let ports = earlier.ports.is_empty()
        || !later.ports.is_empty()
            && later
                .ports
                .iter()
                .all(|port| earlier.ports.iter().any(|other| includes(other, port)));
    peers && ports
}

/// Whether both say the same, wherever they stand.
fn same(one: &Peer, other: &Peer) -> bool {
    // Without `..`: a new field must be compared too.
    let Peer {
        at: _,
        regions,
        countries,
        anycast,
        asns,
        ranges,
        cidrs,
        except,
        fqdns,
        providers,
    } = one;
    *regions == other.regions
        && *countries == other.countries
        && *anycast == other.anycast
        && *asns == other.asns
        && *ranges == other.ranges
        && *cidrs == other.cidrs
        && *except == other.except
        && *fqdns == other.fqdns
        && *providers == other.providers
}

fn includes(outer: &PortSpec, inner: &PortSpec) -> bool {
    outer.proto == inner.proto
        && match (outer.ports, inner.ports) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some((low, high)), Some((first, last))) => low <= first && last <= high,
        }
}
