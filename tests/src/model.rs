//! The naive reference: what is right, decided policy by policy, rule by rule, CIDR by CIDR and
//! database by database.
//!
//! It shares no code with the compiler and the decision that it judges, only the types of the
//! question: policies, databases, flows. It is written to be read as the specification, so it
//! prefers a linear search to anything clever.

mod address;
mod special;

use std::{fmt, sync::Arc};

use enforcer::{
    geo::{Agreement, CountryCode, CountrySet, GeoSet, Location},
    policy::{Action, Cidr, Mode, Peer, Policy, PolicyName, PortSpec, Rule},
};
use enforcer_common::{
    abi::{Nat64Prefix, Ports},
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

/// Decides a flow of a workload that `policies` select, in the order in which they are named.
#[must_use]
pub fn decide(policies: &[&Policy], geo: &GeoSet, nat64: &[Nat64Prefix], flow: &Flow) -> Answer {
    // Loopback is what the packet says, not what is inside it: `64:ff9b::127.0.0.1` leaves the host.
    let written = Address::new(flow.dst);
    if written.is_loopback() {
        return Answer {
            verdict: Verdict::Allow,
            would_deny: false,
            by: None,
        };
    }
    match written.ends(nat64) {
        Ends::At(address) => decide_address(policies, geo, address, flow),
        Ends::AtEither(v4, v6) => {
            let first = decide_address(policies, geo, v4, flow);
            let second = decide_address(policies, geo, v6, flow);
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
    geo: &GeoSet,
    nat64: &[Nat64Prefix],
    flow: &Flow,
) -> Verdict {
    let Some(exceptions) = exceptions else {
        return if Address::new(flow.dst).is_loopback() {
            Verdict::Allow
        } else {
            Verdict::Deny
        };
    };
    let open = decide(&[exceptions], geo, nat64, flow).verdict;
    open.max(decide(policies, geo, nat64, flow).verdict)
}

/// Every policy must allow.
fn decide_address(policies: &[&Policy], geo: &GeoSet, address: Address, flow: &Flow) -> Answer {
    let says: Vec<(&Policy, Option<&Rule>, Action)> = policies
        .iter()
        .map(|policy| {
            let rule = first_match(policy, geo, address, flow);
            (
                *policy,
                rule,
                rule.map_or(policy.default, |rule| rule.action),
            )
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
            rule: rule.map(|rule| rule.name.clone()),
        }),
    }
}

/// The first rule that matches; `None` leaves it to the policy's `default`.
fn first_match<'a>(
    policy: &'a Policy,
    geo: &GeoSet,
    address: Address,
    flow: &Flow,
) -> Option<&'a Rule> {
    policy.rules.iter().find(|rule| {
        let peer =
            rule.peers.is_empty() || rule.peers.iter().any(|peer| peer_has(peer, geo, address));
        let port = rule.ports.is_empty()
            || rule
                .ports
                .iter()
                .any(|spec| port_matches(*spec, rule.action, flow));
        peer && port
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

/// Whether the address is in everything that the peer names.
fn peer_has(peer: &Peer, geo: &GeoSet, address: Address) -> bool {
    let special = special_range(address);
    let says: Vec<Location> = geo
        .databases
        .iter()
        .map(|database| address.location(database))
        .collect();

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

    peer.regions.as_ref().is_none_or(located)
        && peer.countries.as_ref().is_none_or(located)
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
