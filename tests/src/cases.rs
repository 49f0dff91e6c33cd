//! The fixed table: one world, and for each clause of the semantics the flows on both sides of it.
//!
//! The model must answer as written here, and so must everything that is compared with the model.

use std::{path::Path, sync::Arc, time::UNIX_EPOCH};

use enforcer::{
    geo::{
        Agreement, AsNames, Asn, CountryCode, CountrySet, Database, DatabaseInfo, GeoSet, Location,
        LocationId, SpecialRange,
    },
    policy::{
        Action, Cidr, Mode, Peer, Policy, PolicyName, PortSpec, Position, Replies, Rule, Selector,
    },
};
use enforcer_common::{
    abi::{Addr, CgroupId, Hook, Nat64Prefix, Port, Ports, Proto, SocketTag},
    verdict::{Flow, Verdict},
};

mod named;
mod rows;

pub use named::NOW;
pub use rows::{ROWS, Row};

/// What a row expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Passes, by the rule named `policy/rule` or `policy/default`.
    Allow(&'static str),
    /// Is refused, by that rule.
    Deny(&'static str),
    /// Passes, and that rule of an audit policy would have refused it.
    WouldDeny(&'static str),
    /// Passes without a rule.
    Loopback,
}

impl Expect {
    /// What an answer amounts to, in the words of the table: verdict, would deny, `policy/rule`.
    #[must_use]
    pub fn parts(self) -> (Verdict, bool, Option<&'static str>) {
        match self {
            Self::Allow(by) => (Verdict::Allow, false, Some(by)),
            Self::Deny(by) => (Verdict::Deny, false, Some(by)),
            Self::WouldDeny(by) => (Verdict::Allow, true, Some(by)),
            Self::Loopback => (Verdict::Allow, false, None),
        }
    }
}

/// The operator's own NAT64 prefix.
#[must_use]
pub fn nat64() -> Vec<Nat64Prefix> {
    vec![Nat64Prefix {
        hi: 0x2a05_d014_0064_0000,
        lo: 0,
        len: 96,
        reserved: 0,
    }]
}

/// Two databases that agree on 3.64.0.0/16 (DE) and on 5.0.0.0/16 (US), and disagree on 4.0.0.0/16.
#[must_use]
pub fn geo(agreement: Agreement) -> GeoSet {
    let de = place("DE", 64500, false);
    let us = place("US", 64501, false);
    let edge = place("DE", 13335, true);
    let v6 = |text: &str| text.parse::<std::net::Ipv6Addr>().expect("IPv6").to_bits();
    let v4 = |text: &str| text.parse::<std::net::Ipv4Addr>().expect("IPv4").to_bits();
    let first = Database {
        info: info("first"),
        locations: vec![Location::default(), de, us, edge],
        v4: vec![
            (0, LocationId(0)),
            (v4("3.64.0.0"), LocationId(1)),
            (v4("3.65.0.0"), LocationId(0)),
            (v4("4.0.0.0"), LocationId(1)),
            (v4("4.1.0.0"), LocationId(0)),
            (v4("5.0.0.0"), LocationId(2)),
            (v4("5.1.0.0"), LocationId(3)),
            (v4("5.2.0.0"), LocationId(0)),
            // A database that claims private, metadata and Azure addresses changes nothing.
            (v4("10.0.0.0"), LocationId(1)),
            (v4("11.0.0.0"), LocationId(0)),
            (v4("168.63.129.0"), LocationId(1)),
            (v4("168.63.130.0"), LocationId(0)),
        ],
        v6: vec![
            (0, LocationId(0)),
            (v6("2600:1f14::"), LocationId(1)),
            (v6("2600:1f14:0:1:8000::"), LocationId(2)),
            (v6("2600:1f14:0:2::"), LocationId(1)),
            (v6("2600:1f15::"), LocationId(0)),
        ],
        as_names: AsNames::default(),
    };
    let second = Database {
        info: info("second"),
        locations: vec![Location::default(), de, us],
        v4: vec![
            (0, LocationId(0)),
            (v4("4.0.0.0"), LocationId(2)),
            (v4("4.1.0.0"), LocationId(0)),
        ],
        v6: vec![(0, LocationId(0))],
        as_names: AsNames::default(),
    };
    GeoSet {
        databases: vec![first, second],
        agreement,
    }
}

fn place(country: &str, asn: u32, anycast: bool) -> Location {
    Location {
        country: CountryCode::parse(country),
        asn: Some(Asn(asn)),
        anycast,
    }
}

fn info(name: &str) -> DatabaseInfo {
    DatabaseInfo {
        name: name.to_owned(),
        path: None,
        database_type: "Fixed".to_owned(),
        built: UNIX_EPOCH,
        has_countries: true,
        has_asns: true,
        has_anycast: true,
        attribution: String::new(),
    }
}

/// The policies that rows name by index.
#[must_use]
pub fn policies() -> Vec<Policy> {
    let eea = || CountrySet::from_iter(["DE", "FR"].map(country));
    let region = Peer {
        regions: Some(eea()),
        ..anything()
    };
    let mut policies = vec![
        policy(
            "region",
            Mode::Enforce,
            Action::Deny,
            vec![
                rule("no-9001", Action::Deny, vec![], vec![ports(9001, 9001)]),
                rule(
                    "in-region",
                    Action::Allow,
                    vec![region.clone()],
                    vec![ports(443, 444)],
                ),
                rule("ping", Action::Allow, vec![region.clone()], vec![icmp()]),
                rule(
                    "inside",
                    Action::Allow,
                    vec![Peer {
                        cidrs: Some(vec![cidr([10, 0, 0, 0], 8)]),
                        except: vec![cidr([10, 66, 0, 0], 16)],
                        ..anything()
                    }],
                    vec![],
                ),
            ],
        ),
        policy(
            "watch",
            Mode::Audit,
            Action::Allow,
            vec![rule(
                "no-64500",
                Action::Deny,
                vec![Peer {
                    asns: Some(vec![Asn(64500), Asn(64501)]),
                    ..anything()
                }],
                vec![],
            )],
        ),
        policy(
            "open",
            Mode::Enforce,
            Action::Allow,
            vec![
                rule(
                    "no-metadata",
                    Action::Deny,
                    vec![ranged(SpecialRange::Metadata)],
                    vec![],
                ),
                rule(
                    "private",
                    Action::Allow,
                    vec![ranged(SpecialRange::Private)],
                    vec![],
                ),
                rule(
                    "edge",
                    Action::Allow,
                    vec![Peer {
                        anycast: true,
                        ..region
                    }],
                    vec![],
                ),
            ],
        ),
    ];
    policies.extend(named::policies());
    policies
}

fn country(code: &str) -> CountryCode {
    CountryCode::parse(code).expect("two letters")
}

fn cidr(network: [u8; 4], length: u8) -> Cidr {
    Cidr::new(Addr::from_v4(network), length).expect("no host bits")
}

fn ports(first: u16, last: u16) -> PortSpec {
    PortSpec {
        proto: Proto::TCP,
        ports: Some((Port(first), Port(last))),
    }
}

fn icmp() -> PortSpec {
    PortSpec {
        proto: Proto::ICMP,
        ports: None,
    }
}

fn ranged(range: SpecialRange) -> Peer {
    Peer {
        ranges: Some(vec![range]),
        ..anything()
    }
}

fn anything() -> Peer {
    Peer {
        at: somewhere(),
        regions: None,
        countries: None,
        anycast: false,
        asns: None,
        ranges: None,
        cidrs: None,
        except: vec![],
        fqdns: None,
        providers: None,
    }
}

fn rule(name: &str, action: Action, peers: Vec<Peer>, ports: Vec<PortSpec>) -> Rule {
    Rule {
        name: name.into(),
        at: somewhere(),
        action,
        peers,
        ports,
    }
}

fn policy(name: &str, mode: Mode, default: Action, rules: Vec<Rule>) -> Policy {
    Policy {
        name: PolicyName(name.into()),
        at: somewhere(),
        description: String::new(),
        selectors: vec![Selector::Exec],
        mode,
        data_categories: vec![],
        legal_basis: vec![],
        default,
        default_at: somewhere(),
        replies: Replies::Judge,
        dns: None,
        require_dpa: false,
        tag: SocketTag::NONE,
        rules,
    }
}

fn somewhere() -> Position {
    Position {
        file: Arc::from(Path::new("fixed.yaml")),
        line: 1,
        column: 1,
    }
}

/// A flow to `address`, as a person writes it.
///
/// # Panics
/// When `address` is no address.
#[must_use]
pub fn flow(address: &str, proto: Proto, ports: Ports) -> Flow {
    let octets = match address.parse().expect("an address") {
        std::net::IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        std::net::IpAddr::V6(v6) => v6.octets(),
    };
    Flow {
        subject: CgroupId(1),
        dst: Addr::from_v6(octets),
        proto,
        ports,
        hook: Hook::Egress,
    }
}
