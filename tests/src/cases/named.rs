//! Policies of the fixed table that are about names and providers.

use std::sync::Arc;

use enforcer::{
    geo::CountrySet,
    policy::{
        Action, Agreement, AgreementStatus, Dns, Endpoint, Minute, Mode, NamePattern, Peer, Policy,
        Provider, Resolver,
    },
};
use enforcer_common::abi::Addr;

use super::{anything, cidr, country, policy, ports, rule, somewhere};

/// The minute at which the table is judged.
pub const NOW: Minute = Minute(100);

/// `names`, which enforces, and `watch-names`, which audits.
pub(super) fn policies() -> [Policy; 2] {
    let region = || Some(CountrySet::from_iter([country("DE"), country("FR")]));
    let providers = vec![
        provider(
            "agreed",
            Minute(101),
            vec![
                endpoint("eu.ai.test", Some("DE")),
                endpoint("us.ai.test", Some("US")),
                endpoint("any.ai.test", None),
                Endpoint {
                    cidrs: vec![cidr([6, 6, 6, 0], 24)],
                    hosts: vec![],
                    ..endpoint("none.test", Some("FR"))
                },
            ],
        ),
        provider("lapsed", NOW, vec![endpoint("lapsed.test", Some("DE"))]),
    ];
    let names = policy(
        "names",
        Mode::Enforce,
        Action::Deny,
        vec![
            rule("no-bad", Action::Deny, vec![named(&["bad.test"])], vec![]),
            rule(
                "below",
                Action::Allow,
                vec![Peer {
                    regions: region(),
                    ..named(&["*.a.test"])
                }],
                vec![ports(443, 443)],
            ),
            rule("exact", Action::Allow, vec![named(&["only.test"])], vec![]),
            rule(
                "models",
                Action::Allow,
                vec![Peer {
                    regions: region(),
                    providers: Some(providers),
                    ..anything()
                }],
                vec![],
            ),
            rule("all", Action::Allow, vec![named(&["lapsed.test"])], vec![]),
        ],
    );
    let watch = policy(
        "watch-names",
        Mode::Audit,
        Action::Allow,
        vec![rule(
            "tests",
            Action::Deny,
            vec![named(&["*.test"])],
            vec![],
        )],
    );
    [
        Policy {
            dns: Some(dns()),
            require_dpa: true,
            ..names
        },
        Policy {
            dns: Some(dns()),
            ..watch
        },
    ]
}

fn dns() -> Dns {
    Dns {
        at: somewhere(),
        resolvers: vec![Resolver::At(Addr::from_v4([10, 0, 0, 53]))],
    }
}

fn pattern(text: &&str) -> NamePattern {
    match text.strip_prefix("*.") {
        Some(suffix) => NamePattern::Below(suffix.into()),
        None => NamePattern::Exact((*text).into()),
    }
}

fn named(patterns: &[&str]) -> Peer {
    Peer {
        fqdns: Some(patterns.iter().map(pattern).collect()),
        ..anything()
    }
}

fn endpoint(host: &str, processing: Option<&str>) -> Endpoint {
    Endpoint {
        hosts: vec![pattern(&host)],
        cidrs: vec![],
        asns: vec![],
        processing: processing.map(|code| CountrySet::from_iter([country(code)])),
        residency: None,
        source: None,
        checked: None,
    }
}

fn provider(name: &str, expires: Minute, endpoints: Vec<Endpoint>) -> Arc<Provider> {
    Arc::new(Provider {
        name: name.into(),
        at: somewhere(),
        description: String::new(),
        built_in: false,
        endpoints,
        agreement: Some(Agreement {
            status: AgreementStatus::Signed,
            reference: None,
            expires: Some(expires),
        }),
    })
}
