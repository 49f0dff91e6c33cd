//! Policies.

use std::{path::Path, sync::Arc};

use enforcer::{
    geo::{CountrySet, SpecialRange},
    policy::{
        Action, Cidr, Mode, Peer, Policy, PolicyName, PortSpec, Position, Replies, Rule, Selector,
    },
};
use enforcer_common::abi::{Port, Proto, SocketTag};
use proptest::{collection::vec, option, prelude::*, sample::select};

use super::{address::cidr, geo, names};

/// Where port ranges begin and end, and so what flows ask for.
pub(super) const PORT_EDGES: [u16; 7] = [0, 1, 53, 443, 9000, 9010, 65535];

/// One to five policies with distinct names.
pub fn policies() -> impl Strategy<Value = Vec<Policy>> {
    vec(policy(), 1..6).prop_map(|mut policies| {
        for (index, policy) in policies.iter_mut().enumerate() {
            policy.name = PolicyName(format!("policy-{index}").into());
        }
        policies
    })
}

/// One policy.
pub fn policy() -> impl Strategy<Value = Policy> {
    let mode = prop_oneof![3 => Just(Mode::Enforce), 1 => Just(Mode::Audit)];
    let default = prop_oneof![2 => Just(Action::Deny), 1 => Just(Action::Allow)];
    let dns = option::weighted(0.5, names::dns());
    let parts = (vec(rule(), 0..5), mode, default, dns, any::<bool>());
    parts.prop_map(|(mut rules, mode, default, dns, require_dpa)| {
        for (index, rule) in rules.iter_mut().enumerate() {
            rule.name = format!("rule-{index}").into();
        }
        Policy {
            name: PolicyName("policy".into()),
            at: somewhere(),
            description: String::new(),
            selectors: vec![Selector::Exec],
            mode,
            data_categories: vec![],
            legal_basis: vec![],
            default,
            default_at: somewhere(),
            replies: Replies::Judge,
            dns,
            require_dpa,
            tag: SocketTag::NONE,
            rules,
        }
    })
}

fn rule() -> impl Strategy<Value = Rule> {
    let action = prop_oneof![Just(Action::Allow), Just(Action::Deny)];
    (action, vec(peer(), 0..3), vec(ports(), 0..3)).prop_map(|(action, peers, ports)| Rule {
        name: Arc::from("rule"),
        at: somewhere(),
        action,
        peers,
        ports,
    })
}

/// One peer; most have one or two fields.
pub fn peer() -> impl Strategy<Value = Peer> {
    let countries = || vec(geo::country(), 1..3).prop_map(CountrySet::from_iter);
    let ranges = vec(
        select(SpecialRange::ALL.map(|(range, _)| range).to_vec()),
        1..3,
    );
    (
        option::weighted(0.4, countries()),
        option::weighted(0.2, countries()),
        any::<bool>(),
        option::weighted(0.2, vec(geo::asn(), 1..3)),
        option::weighted(0.2, ranges),
        option::weighted(0.4, cidrs(1)),
        prop_oneof![2 => Just(vec![]), 1 => cidrs(0)],
        option::weighted(0.3, names::patterns(1)),
        option::weighted(0.2, names::providers()),
    )
        .prop_map(
            |(regions, countries, anycast, asns, ranges, cidrs, except, fqdns, providers)| Peer {
                at: somewhere(),
                regions,
                countries,
                anycast,
                asns,
                ranges,
                cidrs,
                except,
                fqdns,
                providers,
            },
        )
}

pub(super) fn cidrs(least: usize) -> impl Strategy<Value = Vec<Cidr>> {
    vec(cidr(), least..4)
}

fn ports() -> impl Strategy<Value = PortSpec> {
    let with_ports = select(&[Proto::TCP, Proto::UDP, Proto::SCTP, Proto::UDPLITE][..]);
    let without = select(&[Proto::ICMP, Proto::ICMPV6][..]);
    let edges = (select(&PORT_EDGES[..]), select(&PORT_EDGES[..]));
    let range = edges.prop_map(|(a, b)| (Port(a.min(b)), Port(a.max(b))));
    prop_oneof![
        4 => (with_ports, option::weighted(0.8, range)).prop_map(|(proto, ports)| PortSpec { proto, ports }),
        1 => without.prop_map(|proto| PortSpec { proto, ports: None }),
    ]
}

pub(super) fn somewhere() -> Position {
    Position {
        file: Arc::from(Path::new("generated.yaml")),
        line: 1,
        column: 1,
    }
}
