//! The naive reference: what is right, decided policy by policy, rule by rule, CIDR by CIDR and
//! database by database.
//!
//! It shares no code with the compiler and the decision that it judges, only the types of the
//! question: policies, databases, flows. It is written to be read as the specification, so it
//! prefers a linear search to anything clever.

mod address;
mod names;
mod special;

use std::{fmt, sync::Arc};

use enforcer::{
    geo::{Agreement, CountryCode, CountrySet, GeoSet, Location},
    policy::{
        Action, AgreementStatus, Cidr, Minute, Mode, Peer, Policy, PolicyName, PortSpec, Provider,
        Resolver,
    },
};
use enforcer_common::{
    abi::{Addr, Nat64Prefix, Port, Ports, Proto},
    verdict::{Flow, Verdict},
};

pub use address::{Address, Ends};
pub use special::special_range;

/// What ought to happen to a flow, and who says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Allow or deny.
    pub verdict: Verdict,
    /// Allowed only because a policy is in audit mode.
    pub would_deny: bool,
    /// Who decided; `None` for loopback, which no policy has a say in, and without policies.
    pub by: Option<By>,
}

/// The rule that decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    /// Its policy.
    pub policy: PolicyName,
    /// Its name; `None` is the policy's `default`.
    pub rule: Option<Arc<str>>,
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = self.rule.as_deref().unwrap_or("default");
        write!(f, "{}/{rule}", self.policy)
    }
}

/// Everything around policies and flows.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// The databases.
    pub geo: &'a GeoSet,
    /// NAT64 prefixes of the operator's own.
    pub nat64: &'a [Nat64Prefix],
    /// The minute whose agreements count.
    pub now: Minute,
    /// Resolvers of the node.
    pub cluster_dns: &'a [Addr],
}

/// Decides a flow of a workload that `policies` select, in the order in which they are named. Its
/// destination has these names.
#[must_use]
pub fn decide(policies: &[&Policy], world: &World<'_>, flow: &Flow, names: &[&str]) -> Answer {
    // Loopback is what the packet says, not what is inside it: `64:ff9b::127.0.0.1` leaves the host.
    let written = Address::new(flow.dst);
    if written.is_loopback() {
        return Answer {
            verdict: Verdict::Allow,
            would_deny: false,
            by: None,
        };
    }
    match written.ends(world.nat64) {
        Ends::At(address) => decide_address(policies, world, address, flow, names),
        Ends::AtEither(v4, v6) => {
            let first = decide_address(policies, world, v4, flow, names);
            let second = decide_address(policies, world, v6, flow, names);
            let first_denies = first.verdict == Verdict::Deny;
            let second_objects = second.verdict == Verdict::Deny || second.would_deny;
            if !first_denies && second_objects {
                second
            } else {
                first
            }
        }
    }
}

/// Decides a flow of a workload that is isolated: it passes if it is to loopback, or if the exceptions
/// allow it and so do the policies.
#[must_use]
pub fn decide_isolated(
    policies: &[&Policy],
    exceptions: Option<&Policy>,
    world: &World<'_>,
    flow: &Flow,
    names: &[&str],
) -> Verdict {
    let Some(exceptions) = exceptions else {
        return if Address::new(flow.dst).is_loopback() {
            Verdict::Allow
        } else {
            Verdict::Deny
        };
    };
    let open = decide(&[exceptions], world, flow, names).verdict;
    open.max(decide(policies, world, flow, names).verdict)
}

/// Every policy must allow.
fn decide_address(
    policies: &[&Policy],
    world: &World<'_>,
    address: Address,
    flow: &Flow,
    names: &[&str],
) -> Answer {
    let says: Vec<(&Policy, Option<Arc<str>>, Action)> = policies
        .iter()
        .map(|policy| {
            let (rule, action) = first_match(policy, world, address, flow, names);
            (*policy, rule, action)
        })
        .collect();

    let denies = |mode: Mode| {
        says.iter()
            .find(|(policy, _, action)| policy.mode == mode && *action == Action::Deny)
    };
    let (verdict, would_deny, speaker) = if let Some(speaker) = denies(Mode::Enforce) {
        (Verdict::Deny, false, Some(speaker))
    } else if let Some(speaker) = denies(Mode::Audit) {
        (Verdict::Allow, true, Some(speaker))
    } else {
        (Verdict::Allow, false, says.first())
    };
    Answer {
        verdict,
        would_deny,
        by: speaker.map(|(policy, rule, _)| By {
            policy: policy.name.clone(),
            rule: rule.clone(),
        }),
    }
}

/// What the first rule that matches says; without any, the policy's `default`.
fn first_match(
    policy: &Policy,
    world: &World<'_>,
    address: Address,
    flow: &Flow,
    names: &[&str],
) -> (Option<Arc<str>>, Action) {
    if asks_resolver(policy, world, address, flow) {
        return (Some("dns.resolvers".into()), Action::Allow);
    }
    for rule in &policy.rules {
        let to = |takes: &dyn Fn(&Provider) -> bool| {
            let mut peers = rule.peers.iter();
            peers.any(|peer| peer_has(peer, takes, world, address, names))
        };
        let on = |action| {
            let mut ports = rule.ports.iter();
            rule.ports.is_empty() || ports.any(|spec| port_matches(*spec, action, flow))
        };
        let required = policy.require_dpa && rule.action == Action::Allow;
        let lacking = |provider: &Provider| required && !has_agreement(provider, world.now);
        // What the rule would allow of a provider without an agreement is denied.
        let mut of_providers = rule.peers.iter().filter(|peer| peer.providers.is_some());
        let denied = of_providers.any(|peer| peer_has(peer, &lacking, world, address, names));
        if denied && on(Action::Deny) {
            return (Some(rule.name.clone()), Action::Deny);
        }
        let reached = rule.peers.is_empty() || to(&|provider| !lacking(provider));
        if reached && on(rule.action) {
            return (Some(rule.name.clone()), rule.action);
        }
    }
    (None, policy.default)
}

/// Resolvers that a policy names may be asked, whatever its rules say.
fn asks_resolver(policy: &Policy, world: &World<'_>, address: Address, flow: &Flow) -> bool {
    let Some(dns) = &policy.dns else { return false };
    let named = dns.resolvers.iter().any(|resolver| match resolver {
        Resolver::ClusterDns => world
            .cluster_dns
            .iter()
            .any(|one| Address::new(*one) == address),
        Resolver::At(one) => Address::new(*one) == address,
    });
    let asks = [Proto::UDP, Proto::TCP].contains(&flow.proto) && flow.ports == Ports::is(Port(53));
    named && asks
}

fn has_agreement(provider: &Provider, now: Minute) -> bool {
    provider.agreement.as_ref().is_some_and(|agreement| {
        agreement.status == AgreementStatus::Signed
            && agreement.expires.is_none_or(|end| now.0 < end.0)
    })
}

/// Whether a port specification matches the flow.
fn port_matches(spec: PortSpec, action: Action, flow: &Flow) -> bool {
    if spec.proto != flow.proto {
        return false;
    }
    let Some((first, last)) = spec.ports else {
        return true;
    };
    match flow.ports.port() {
        Some(port) => first <= port && port <= last,
        // A later fragment: what cannot be told is not an allow.
        None => flow.ports == Ports::UNKNOWN && action == Action::Deny,
    }
}

/// Whether the address and its names are in everything that the peer names.
fn peer_has(
    peer: &Peer,
    takes: &dyn Fn(&Provider) -> bool,
    world: &World<'_>,
    address: Address,
    names: &[&str],
) -> bool {
    let geo = world.geo;
    let special = special_range(address);
    let says = says(geo, address);

    let countries: Vec<CountryCode> = says.iter().filter_map(|said| said.country).collect();
    let somewhere_else =
        special.is_some() || (says.iter().any(|said| said.anycast) && !peer.anycast);
    let located = |wanted: &CountrySet| {
        !somewhere_else
            && agreed(geo.agreement, &countries, |country| {
                wanted.contains(*country)
            })
    };

    let asns: Vec<_> = says.iter().filter_map(|said| said.asn).collect();

    // Beside providers, regions and countries are about where those process.
    let place = peer.providers.is_some()
        || peer.regions.as_ref().is_none_or(located) && peer.countries.as_ref().is_none_or(located);

    place
        && names::names_and_providers(peer, takes, world, address, names)
        && peer
            .asns
            .as_ref()
            .is_none_or(|wanted| agreed(geo.agreement, &asns, |asn| wanted.contains(asn)))
        && peer
            .ranges
            .as_ref()
            .is_none_or(|wanted| special.is_some_and(|range| wanted.contains(&range)))
        && peer
            .cidrs
            .as_ref()
            .is_none_or(|cidrs| in_any(cidrs, address))
        && !in_any(&peer.except, address)
}

/// What each database says of an address.
fn says(geo: &GeoSet, address: Address) -> Vec<Location> {
    let databases = geo.databases.iter();
    databases
        .map(|database| address.location(database))
        .collect()
}

/// What the databases that know an address say of it, taken together. Nobody knows: no.
fn agreed<T>(agreement: Agreement, known: &[T], holds: impl Fn(&T) -> bool) -> bool {
    match agreement {
        Agreement::All => !known.is_empty() && known.iter().all(holds),
        Agreement::Any => known.iter().any(holds),
    }
}

fn in_any(cidrs: &[Cidr], address: Address) -> bool {
    cidrs.iter().any(|cidr| {
        let (first, last) = cidr.bounds();
        match address {
            Address::V4(v4) => cidr.is_v4() && first <= u128::from(v4) && u128::from(v4) <= last,
            Address::V6(v6) => !cidr.is_v4() && first <= v6 && v6 <= last,
        }
    })
}
