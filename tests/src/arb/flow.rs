//! Flows that sit on the bounds of what a case names.

use enforcer::{
    geo::GeoSet,
    policy::{Cidr, Policy, Resolver},
};
use enforcer_common::{
    abi::{Addr, CgroupId, Hook, Nat64Prefix, Port, Ports, Proto},
    verdict::Flow,
};
use proptest::{prelude::*, sample::select};

use super::policy::PORT_EDGES;

/// How a destination is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// IPv4 as IPv4.
    V4,
    /// IPv6 as IPv6.
    V6,
    /// `::ffff:0:0/96`.
    Mapped,
    /// `64:ff9b::/96`.
    Nat64,
    /// The first prefix of the operator's own, else `64:ff9b::/96`.
    OwnNat64,
    /// `2002::/16`.
    SixToFour,
    /// `2001:0::/32`.
    Teredo,
    /// ISATAP on a routable prefix: both addresses count.
    Isatap,
    /// ISATAP on fe80::/64: the IPv4 address counts.
    IsatapLinkLocal,
}

const FORMS: [Form; 9] = [
    Form::V4,
    Form::V6,
    Form::Mapped,
    Form::Nat64,
    Form::OwnNat64,
    Form::SixToFour,
    Form::Teredo,
    Form::Isatap,
    Form::IsatapLinkLocal,
];

/// A flow before the case is known whose seams it looks for.
#[derive(Clone, Debug)]
pub struct FlowSeed {
    v4: prop::sample::Index,
    v6: prop::sample::Index,
    nudge: i8,
    form: Form,
    proto: Proto,
    port: Option<u16>,
}

/// A flow in any form.
pub(super) fn seed() -> impl Strategy<Value = FlowSeed> {
    let form = prop_oneof![2 => Just(Form::V4), 2 => Just(Form::V6), 3 => select(&FORMS[..])];
    let protos = [
        Proto::TCP,
        Proto::UDP,
        Proto::ICMP,
        Proto::ICMPV6,
        Proto::SCTP,
        Proto::UDPLITE,
        // GRE: named by no policy.
        Proto(47),
    ];
    let proto = prop_oneof![Just(Proto::TCP), select(protos.to_vec())];
    let near_edge = (select(&PORT_EDGES[..]), -1..=1_i8)
        .prop_map(|(edge, nudge)| edge.saturating_add_signed(nudge.into()));
    let port = prop::option::weighted(0.85, near_edge);
    let place = any::<prop::sample::Index>;
    (place(), place(), -1..=1_i8, form, proto, port).prop_map(
        |(v4, v6, nudge, form, proto, port)| FlowSeed {
            v4,
            v6,
            nudge,
            form,
            proto,
            port,
        },
    )
}

/// First and last addresses of every range that a case names.
#[derive(Debug)]
pub struct Places {
    v4: Vec<u32>,
    v6: Vec<u128>,
}

impl Places {
    /// Of these policies and databases.
    #[must_use]
    pub fn of(policies: &[Policy], geo: &GeoSet) -> Self {
        // Never empty, and the outermost addresses belong to every case.
        let mut places = Self {
            v4: vec![0, u32::MAX],
            v6: vec![0, u128::MAX],
        };
        for database in &geo.databases {
            places.v4.extend(database.v4.iter().map(|(start, _)| start));
            places.v6.extend(database.v6.iter().map(|(start, _)| start));
        }
        let peers = policies
            .iter()
            .flat_map(|policy| &policy.rules)
            .flat_map(|rule| &rule.peers);
        for peer in peers {
            let providers = peer.providers.iter().flatten();
            let endpoints = providers.flat_map(|provider| &provider.endpoints);
            let of_providers = endpoints.flat_map(|endpoint| &endpoint.cidrs);
            let own = peer.cidrs.iter().flatten().chain(&peer.except);
            own.chain(of_providers).for_each(|cidr| places.add(*cidr));
        }
        let dns = policies.iter().filter_map(|policy| policy.dns.as_ref());
        for resolver in dns.flat_map(|dns| &dns.resolvers) {
            if let Resolver::At(address) = resolver {
                places.add(Cidr::host(*address));
            }
        }
        places
    }

    fn add(&mut self, cidr: Cidr) {
        let (first, last) = cidr.bounds();
        if cidr.is_v4() {
            self.v4.extend([first as u32, last as u32]);
        } else {
            self.v6.extend([first, last]);
        }
    }
}

impl FlowSeed {
    /// The flow, at or next to a bound of the case.
    #[must_use]
    pub fn resolve(&self, places: &Places, nat64: &[Nat64Prefix]) -> Flow {
        let v4 = self
            .v4
            .get(&places.v4)
            .wrapping_add_signed(self.nudge.into());
        let v6 = self
            .v6
            .get(&places.v6)
            .wrapping_add_signed(self.nudge.into());
        Flow {
            subject: CgroupId(1),
            dst: self.form.write(v4, v6, nat64),
            proto: self.proto,
            ports: match self.port {
                _ if !self.proto.has_ports() => Ports::ABSENT,
                Some(port) => Ports::is(Port(port)),
                None => Ports::UNKNOWN,
            },
            hook: Hook::Egress,
        }
    }
}

impl Form {
    /// The address that says `v4` (or, for an IPv6 form, `v6`) in this form.
    #[must_use]
    pub fn write(self, v4: u32, v6: u128, nat64: &[Nat64Prefix]) -> Addr {
        let inner = u128::from(v4);
        let number = match self {
            Self::V4 => return Addr::from_v4(v4.to_be_bytes()),
            Self::V6 => v6,
            Self::Mapped => 0xffff << 32 | inner,
            Self::OwnNat64 => match nat64.first() {
                Some(prefix) => wrap(prefix, v4),
                None => 0x0064_ff9b << 96 | inner,
            },
            Self::Nat64 => 0x0064_ff9b << 96 | inner,
            Self::SixToFour => 0x2002 << 112 | inner << 80 | 1,
            Self::Teredo => 0x2001_0000 << 96 | 0x0102_0304 << 64 | u128::from(!v4),
            Self::Isatap => (v6 >> 64) << 64 | 0x5efe << 32 | inner,
            Self::IsatapLinkLocal => 0xfe80 << 112 | 0x0200_5efe << 32 | inner,
        };
        Addr::from_v6(number.to_be_bytes())
    }
}

/// RFC 6052, 2.2.
fn wrap(prefix: &Nat64Prefix, v4: u32) -> u128 {
    let mut octets = (u128::from(prefix.hi) << 64 | u128::from(prefix.lo)).to_be_bytes();
    let places = (prefix.len as usize / 8..16).filter(|&at| at != 8);
    for (at, octet) in places.zip(v4.to_be_bytes()) {
        octets[at] = octet;
    }
    u128::from_be_bytes(octets)
}
