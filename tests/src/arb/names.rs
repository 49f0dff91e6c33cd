//! Names that are each other's suffixes, patterns of them, providers and resolvers.

use std::sync::Arc;

use enforcer::{
    geo::CountrySet,
    policy::{Agreement, AgreementStatus, Dns, Endpoint, Minute, NamePattern, Provider, Resolver},
};
use enforcer_common::abi::Addr;
use proptest::{collection::vec, option, prelude::*, sample::select};

use super::{address, geo, policy};

/// In lower case, as in policies. The deepest has more labels than a wildcard's suffix may have.
const NAMES: [&str; 8] = [
    "test",
    "a.test",
    "b.a.test",
    "c.b.a.test",
    "b.test",
    "a.example",
    "i.h.g.f.e.d.c.test",
    "k.j.i.h.g.f.e.d.c.test",
];

/// As they stand in messages.
const SPELLED: [&str; 4] = ["B.A.Test", "x.a.test", "aa.test", "other"];

/// Names of an address; most have none or one.
pub(super) fn of_address() -> impl Strategy<Value = Vec<&'static str>> {
    let name = prop_oneof![4 => select(&NAMES[..]), 1 => select(&SPELLED[..])];
    prop_oneof![1 => Just(vec![]), 3 => vec(name, 1..4)]
}

/// Patterns, exact ones and wildcards.
pub(super) fn patterns(least: usize) -> impl Strategy<Value = Vec<NamePattern>> {
    let pattern = (select(&NAMES[..]), any::<bool>()).prop_map(|(name, below)| {
        let name: Arc<str> = name.into();
        if below && name.split('.').count() <= 8 {
            NamePattern::Below(name)
        } else {
            NamePattern::Exact(name)
        }
    });
    vec(pattern, least..4)
}

/// Providers of a peer, each with a name of its own.
pub(super) fn providers() -> impl Strategy<Value = Vec<Arc<Provider>>> {
    vec(provider(), 1..3).prop_map(|providers| {
        let numbered = (0..).zip(providers);
        let named = numbered.map(|(number, provider): (usize, Provider)| Provider {
            name: format!("provider-{number}").into(),
            ..provider
        });
        named.map(Arc::new).collect()
    })
}

fn provider() -> impl Strategy<Value = Provider> {
    (vec(endpoint(), 1..3), option::weighted(0.7, agreement())).prop_map(
        |(endpoints, agreement)| Provider {
            name: "provider".into(),
            at: policy::somewhere(),
            description: String::new(),
            built_in: false,
            endpoints,
            agreement,
        },
    )
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    let processing = vec(geo::country(), 1..3).prop_map(CountrySet::from_iter);
    (
        patterns(0),
        policy::cidrs(0),
        vec(geo::asn(), 0..2),
        option::weighted(0.7, processing),
    )
        .prop_map(|(hosts, cidrs, asns, processing)| Endpoint {
            hosts,
            cidrs,
            asns,
            processing,
            residency: None,
            source: None,
            checked: None,
        })
}

/// Around [`Case::NOW`](super::Case::NOW).
fn agreement() -> impl Strategy<Value = Agreement> {
    let status = prop_oneof![
        4 => Just(AgreementStatus::Signed),
        1 => Just(AgreementStatus::Pending),
        1 => Just(AgreementStatus::Terminated),
    ];
    let expires = option::of((1..4_i64).prop_map(Minute));
    (status, expires).prop_map(|(status, expires)| Agreement {
        status,
        reference: None,
        expires,
    })
}

/// One to three resolvers.
pub(super) fn dns() -> impl Strategy<Value = Dns> {
    let resolver = prop_oneof![
        1 => Just(Resolver::ClusterDns),
        3 => address().prop_map(Resolver::At),
    ];
    vec(resolver, 1..4).prop_map(|resolvers| Dns {
        at: policy::somewhere(),
        resolvers,
    })
}

/// An address in a neighbourhood.
pub(super) fn address() -> impl Strategy<Value = Addr> {
    prop_oneof![
        address::v4().prop_map(|v4| Addr::from_v4(v4.to_be_bytes())),
        address::v6().prop_map(|v6| Addr::from_v6(v6.to_be_bytes())),
    ]
}
