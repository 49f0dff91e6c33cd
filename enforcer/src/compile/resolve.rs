//! Policies as they hold in one minute: peers in terms of addresses and names, agreements that ended
//! as denials, resolvers as rules.

use std::sync::Arc;

use enforcer_common::abi::{Port, Proto};

use super::{
    Input,
    names::Conditions,
    predicates::{Predicate, Predicates},
};
use crate::policy::{
    Action, Cidr, Dns, Endpoint, Minute, Mode, NamePattern, Peer, Policy, PortSpec, Position,
    Provider, Resolver, Rule,
};

/// Of the rule that `dns.resolvers` implies. No rule in a file can be named so.
const DNS_RULE: &str = "dns.resolvers";

pub(super) const DNS_PORTS: [PortSpec; 2] = [
    PortSpec {
        proto: Proto::UDP,
        ports: Some((Port(53), Port(53))),
    },
    PortSpec {
        proto: Proto::TCP,
        ports: Some((Port(53), Port(53))),
    },
];

/// Every policy, with what its peers come down to.
pub(super) struct Resolved<'a> {
    pub(super) policies: Vec<EffectivePolicy<'a>>,
    pub(super) predicates: Predicates<'a>,
    pub(super) conditions: Conditions<'a>,
    /// When the next agreement ends by itself.
    pub(super) until: Option<Minute>,
}

/// A policy in one minute.
pub(super) struct EffectivePolicy<'a> {
    pub(super) policy: &'a Policy,
    pub(super) rules: Vec<EffectiveRule<'a>>,
    pub(super) resolvers: &'a [Cidr],
}

/// A rule in one minute.
pub(super) struct EffectiveRule<'a> {
    pub(super) name: Arc<str>,
    pub(super) at: &'a Position,
    pub(super) action: Action,
    /// Denies because no agreement with this provider is in force.
    pub(super) no_agreement: Option<Arc<str>>,
    /// Any of them; `None` matches every address.
    pub(super) peers: Option<Vec<EffectivePeer>>,
    /// Any of them; empty matches every protocol and port.
    pub(super) ports: &'a [PortSpec],
}

/// What must hold at once.
pub(super) struct EffectivePeer {
    /// Indices into [`Predicates::distinct`].
    pub(super) predicates: Vec<usize>,
    /// A condition on the names of the address.
    pub(super) name: Option<usize>,
}

impl EffectivePolicy<'_> {
    /// Conditions on names that its rules have.
    pub(super) fn conditions(&self) -> impl Iterator<Item = usize> {
        let peers = self.rules.iter().filter_map(|rule| rule.peers.as_ref());
        peers.flatten().filter_map(|peer| peer.name)
    }

    pub(super) fn is_audit(&self) -> bool {
        self.policy.mode == Mode::Audit
    }
}

/// Addresses of each policy's resolvers.
pub(super) fn resolvers(input: &Input<'_>) -> Vec<Vec<Cidr>> {
    let of_policy = |policy: &Policy| {
        let named = policy.dns.iter().flat_map(|dns: &Dns| &dns.resolvers);
        let addresses = named.flat_map(|resolver| match resolver {
            Resolver::ClusterDns => input.cluster_dns.to_vec(),
            Resolver::At(address) => vec![*address],
        });
        let mut networks: Vec<Cidr> = addresses.map(Cidr::host).collect();
        networks.sort_unstable();
        networks.dedup();
        networks
    };
    input.policies.iter().map(of_policy).collect()
}

impl<'a> Resolved<'a> {
    pub(super) fn of(input: &Input<'a>, resolvers: &'a [Vec<Cidr>]) -> Self {
        let mut resolved = Self {
            policies: Vec::new(),
            predicates: Predicates::default(),
            conditions: Conditions::default(),
            until: None,
        };
        for (policy, resolvers) in input.policies.iter().zip(resolvers) {
            let policy = resolved.policy(policy, resolvers, input.now);
            resolved.policies.push(policy);
        }
        resolved
    }

    fn policy(
        &mut self,
        policy: &'a Policy,
        resolvers: &'a [Cidr],
        now: Minute,
    ) -> EffectivePolicy<'a> {
        let mut rules = Vec::new();
        if let Some(dns) = &policy.dns {
            rules.push(EffectiveRule {
                name: DNS_RULE.into(),
                at: &dns.at,
                action: Action::Allow,
                no_agreement: None,
                peers: Some(vec![EffectivePeer {
                    predicates: vec![self.networks(resolvers, &dns.at)],
                    name: None,
                }]),
                ports: &DNS_PORTS,
            });
        }
        for rule in &policy.rules {
            let agreed = |provider: &Provider| {
                !policy.require_dpa || rule.action == Action::Deny || provider.has_agreement(now)
            };
            for peer in &rule.peers {
                for provider in peer.providers.iter().flatten() {
                    if policy.require_dpa && rule.action == Action::Allow {
                        self.until = earlier(self.until, provider.agreement_ends(now));
                    }
                    if !agreed(provider) {
                        rules.push(self.denial(rule, peer, provider));
                    }
                }
            }
            let peers = rule.peers.iter();
            let peers = peers.flat_map(|peer| self.peers(peer, &agreed));
            let peers: Vec<EffectivePeer> = peers.collect();
            rules.push(EffectiveRule {
                name: Arc::clone(&rule.name),
                at: &rule.at,
                action: rule.action,
                no_agreement: None,
                peers: (!rule.peers.is_empty()).then_some(peers),
                ports: &rule.ports,
            });
        }
        EffectivePolicy {
            policy,
            rules,
            resolvers,
        }
    }

    /// What a rule would allow of a provider without an agreement is denied, before the rule: no
    /// later rule and no default lets it through.
    fn denial(
        &mut self,
        rule: &'a Rule,
        peer: &'a Peer,
        provider: &'a Provider,
    ) -> EffectiveRule<'a> {
        let only = |other: &Provider| other.name == provider.name;
        EffectiveRule {
            name: Arc::clone(&rule.name),
            at: &peer.at,
            action: Action::Deny,
            no_agreement: Some(Arc::clone(&provider.name)),
            peers: Some(self.peers(peer, &only)),
            ports: &rule.ports,
        }
    }

    /// A peer, with the providers that `takes` takes.
    fn peers(&mut self, peer: &'a Peer, takes: &dyn Fn(&Provider) -> bool) -> Vec<EffectivePeer> {
        let own = self.predicates.add(Predicate::of(peer), &peer.at);
        let fqdns = peer.fqdns.as_deref().map(|list| self.conditions.list(list));
        let Some(providers) = &peer.providers else {
            let name = fqdns.map(|list| self.conditions.all_of([list]));
            let predicates = vec![own];
            return vec![EffectivePeer { predicates, name }];
        };
        let providers = providers.iter().filter(|provider| takes(provider));
        let endpoints: Vec<&Endpoint> = providers
            .flat_map(|provider| &provider.endpoints)
            .filter(|endpoint| peer.admits_processing_at(endpoint))
            .collect();
        let mut peers = Vec::new();
        let hosts: Vec<NamePattern> = endpoints
            .iter()
            .flat_map(|endpoint| endpoint.hosts.iter().cloned())
            .collect();
        if !hosts.is_empty() {
            let hosts = self.conditions.list_of(hosts);
            peers.push(EffectivePeer {
                predicates: vec![own],
                name: Some(self.conditions.all_of(fqdns.into_iter().chain([hosts]))),
            });
        }
        let name = fqdns.map(|list| self.conditions.all_of([list]));
        for endpoint in endpoints {
            let mut also = |predicate| {
                let predicates = vec![own, self.predicates.add(predicate, &peer.at)];
                peers.push(EffectivePeer { predicates, name });
            };
            if !endpoint.cidrs.is_empty() {
                also(Predicate::networks(&endpoint.cidrs));
            }
            if !endpoint.asns.is_empty() {
                also(Predicate::systems(&endpoint.asns));
            }
        }
        peers
    }

    fn networks(&mut self, networks: &'a [Cidr], at: &'a Position) -> usize {
        self.predicates.add(Predicate::networks(networks), at)
    }
}

fn earlier(one: Option<Minute>, other: Option<Minute>) -> Option<Minute> {
    one.into_iter().chain(other).min()
}
