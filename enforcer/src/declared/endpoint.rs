//! One endpoint of a flow, decided.

use std::net::IpAddr;

use enforcer_common::{
    abi::{Addr, CgroupId, ClassId, Hook, Ports, Proto},
    verdict::{Decision, Flow, Verdict},
};

use super::pieces::{self, Piece};
use crate::{
    compile::Image,
    geo::GeoSet,
    policy::{
        Cidr, Code, DataFlow, Diagnostic, Diagnostics, FlowEndpoint, Policy, PortSpec, Sources,
        Target,
    },
};

/// What the endpoints of a workload are judged with.
pub(super) struct Judge<'a> {
    pub(super) sources: &'a Sources,
    /// Those of the workload.
    pub(super) policies: Vec<&'a Policy>,
    pub(super) class: ClassId,
    pub(super) image: &'a Image,
    pub(super) geo: &'a GeoSet,
}

/// What one rule refuses, or would refuse: every one of the ports at every one of the pieces.
struct Refused {
    decision: Decision,
    ports: Vec<PortSpec>,
    pieces: Vec<Piece>,
}

impl Judge<'_> {
    /// Reports what is wrong with an endpoint.
    pub(super) fn endpoint(&self, flow: &DataFlow, endpoint: &FlowEndpoint, out: &mut Diagnostics) {
        if endpoint.addresses.is_empty() {
            out.push(name_not_judged(flow, endpoint));
            return;
        }
        let (embedding, plain): (Vec<Cidr>, Vec<Cidr>) = endpoint
            .addresses
            .iter()
            .partition(|&&network| self.embeds(network));
        for network in embedding {
            out.push(embedding_not_judged(flow, endpoint, network));
        }
        let pieces: Vec<Piece> = plain
            .into_iter()
            .flat_map(|network| pieces::of_network(network, &self.policies, self.geo))
            .collect();
        let names: Vec<&str> = match &endpoint.target {
            Target::Host(host) => vec![host],
            Target::Provider(_) | Target::Addresses => Vec::new(),
        };
        for refused in self.refused(endpoint, &pieces, &names) {
            out.push(self.refusal(flow, endpoint, refused));
        }
        if let Some(disputed) = self.disputed(flow, endpoint, &pieces) {
            out.push(disputed);
        }
    }

    /// Whether the addresses of a network stand for others, each for its own: such a network has no
    /// pieces. A single address is judged as what it stands for.
    fn embeds(&self, network: Cidr) -> bool {
        let (first, last) = network.ends();
        let located = self.geo.locate(first);
        first != last && (located.judged != first || located.also.is_some())
    }

    fn refused(&self, endpoint: &FlowEndpoint, pieces: &[Piece], names: &[&str]) -> Vec<Refused> {
        let stretches: Vec<PortSpec> = endpoint
            .ports
            .iter()
            .flat_map(|&spec| pieces::of_ports(spec, &self.policies))
            .collect();
        let mut all: Vec<Refused> = Vec::new();
        for &piece in pieces {
            for here in self.refused_at(piece, &stretches, names) {
                match all.iter_mut().find(|known| known.is_alike(&here)) {
                    Some(known) => known.pieces.push(piece),
                    None => all.push(here),
                }
            }
        }
        all
    }

    /// One for each rule that refuses anything at this piece.
    fn refused_at(&self, piece: Piece, stretches: &[PortSpec], names: &[&str]) -> Vec<Refused> {
        let mut here: Vec<Refused> = Vec::new();
        for &spec in stretches {
            let Some(decision) = self.decide(spec, piece, names) else {
                continue;
            };
            if decision.verdict == Verdict::Allow && !decision.would_deny {
                continue;
            }
            match here.iter_mut().find(|known| known.decision == decision) {
                Some(known) => known.ports.push(spec),
                None => here.push(Refused {
                    decision,
                    ports: vec![spec],
                    pieces: vec![piece],
                }),
            }
        }
        here
    }

    /// `None`: the protocol does not go to such addresses.
    fn decide(&self, spec: PortSpec, (dst, _): Piece, names: &[&str]) -> Option<Decision> {
        let is_icmp = matches!(spec.proto, Proto::ICMP | Proto::ICMPV6);
        if is_icmp && spec.proto != Proto::icmp_to(dst) {
            return None;
        }
        let flow = Flow {
            subject: CgroupId(0),
            dst,
            proto: spec.proto,
            ports: spec
                .ports
                .map_or(Ports::ABSENT, |(first, _)| Ports::is(first)),
            hook: Hook::Connect,
        };
        Some(self.image.decide(self.class, &flow, names))
    }

    fn refusal(&self, flow: &DataFlow, endpoint: &FlowEndpoint, refused: Refused) -> Diagnostic {
        let Refused {
            decision,
            ports,
            pieces,
        } = refused;
        let pieces = pieces::joined(pieces);
        let rule = self.image.rule(decision.rule);
        let by = rule.map_or_else(
            || format!("the decision is `{}`", decision.reason.as_str()),
            |rule| {
                let name = rule.rule.as_deref().unwrap_or("default");
                format!("by rule `{name}` of policy `{}`", rule.policy)
            },
        );
        let (code, is_refused) = if decision.would_deny {
            (Code::FlowWouldDeny, "would be denied in mode `enforce`")
        } else {
            (Code::FlowDenied, "is denied")
        };
        let message = format!(
            "flow `{}` to {} on {} {is_refused}, {by}",
            flow.name,
            ranges(&pieces),
            listed(&ports),
        );
        let mut help = self.whereabouts(pieces[0].0);
        if let Some(rule) = rule {
            help += &format!("; {}:{} decides", rule.at.file.display(), rule.at.line);
        }
        help += ": permit the endpoint there or before, or withdraw the flow";
        let finding = Diagnostic::new(code, &endpoint.at, message).with_help(help);
        let place = rule.and_then(|rule| self.sources.place(&rule.at));
        match place {
            Some(place) => finding.with_related(&place, "this decides"),
            None => finding,
        }
    }

    /// What the databases say of an address, in words.
    fn whereabouts(&self, address: Addr) -> String {
        let located = self.geo.locate(address);
        let place = match (located.special, located.country) {
            (Some(range), _) => {
                format!("in the range `{}`, which is in no country", range.as_str())
            }
            (None, Some(country)) => format!("in {country}"),
            (None, None) => "not known to any database".to_owned(),
        };
        let owner = located.asn.map(|asn| format!(", {asn}"));
        let anycast = if located.anycast { ", anycast" } else { "" };
        let owner = owner.unwrap_or_default();
        format!("{} is {place}{owner}{anycast}", text(address))
    }

    fn disputed(
        &self,
        flow: &DataFlow,
        endpoint: &FlowEndpoint,
        pieces: &[Piece],
    ) -> Option<Diagnostic> {
        let located = |&&(first, _): &&Piece| {
            let located = self.geo.locate(first);
            located.special.is_none() && !located.countries_agree
        };
        let disputed: Vec<Piece> = pieces.iter().filter(located).copied().collect();
        let &(first, _) = disputed.first()?;
        let located = self.geo.locate(first);
        let answers: Vec<String> = located
            .answers
            .iter()
            .filter_map(|answer| {
                let country = answer.location.country?;
                Some(format!("{country} ({})", answer.database.name))
            })
            .collect();
        let message = format!(
            "databases disagree where {}, an endpoint of flow `{}`, is: {}",
            ranges(&pieces::joined(disputed)),
            flow.name,
            answers.join(", ")
        );
        Some(
            Diagnostic::new(Code::FlowLocationDisputed, &endpoint.at, message).with_help(
                "ask who runs the endpoint where it is; an address that the databases agree about \
                 needs no judgement",
            ),
        )
    }
}

impl Refused {
    fn is_alike(&self, other: &Self) -> bool {
        // Each family of addresses has its own ICMP, and people write one.
        let name = |spec: &PortSpec| match spec.proto {
            Proto::ICMPV6 => PortSpec {
                proto: Proto::ICMP,
                ..*spec
            },
            _ => *spec,
        };
        self.decision == other.decision
            && self.ports.iter().map(name).eq(other.ports.iter().map(name))
    }
}

fn embedding_not_judged(flow: &DataFlow, endpoint: &FlowEndpoint, network: Cidr) -> Diagnostic {
    let message = format!(
        "flow `{}` to {network} is not judged: each address is judged as the IPv4 address inside it",
        flow.name
    );
    Diagnostic::new(Code::FlowNotJudged, &endpoint.at, message)
        .with_help("declare the IPv4 network")
}

fn name_not_judged(flow: &DataFlow, endpoint: &FlowEndpoint) -> Diagnostic {
    let name = match &endpoint.target {
        Target::Host(name) => format!("host `{name}`"),
        Target::Provider(name) => format!("provider `{}`", name.name),
        Target::Addresses => "an endpoint".to_owned(),
    };
    let message = format!(
        "flow `{}` to {name} is not judged: policies of this version know addresses only",
        flow.name
    );
    Diagnostic::new(Code::FlowNotJudged, &endpoint.at, message)
        .with_help("declare the `addresses` that it has")
}

/// How many ranges or ports a message lists.
const LISTED: usize = 3;

fn ranges(pieces: &[Piece]) -> String {
    let range = |&(first, last): &Piece| {
        if first == last {
            text(first)
        } else {
            format!("{}-{}", text(first), text(last))
        }
    };
    abridged(pieces.iter().map(range), pieces.len())
}

fn listed(ports: &[PortSpec]) -> String {
    let mut joined: Vec<PortSpec> = Vec::new();
    for &spec in ports {
        match (joined.last_mut(), spec.ports) {
            (
                Some(PortSpec {
                    proto,
                    ports: Some((_, end)),
                }),
                Some((first, last)),
            ) if *proto == spec.proto && end.0.checked_add(1) == Some(first.0) => *end = last,
            _ => joined.push(spec),
        }
    }
    abridged(joined.iter().map(ToString::to_string), joined.len())
}

fn abridged(items: impl Iterator<Item = String>, count: usize) -> String {
    let mut text = items.take(LISTED).collect::<Vec<_>>().join(", ");
    if count > LISTED {
        text += &format!(" and {} more", count - LISTED);
    }
    text
}

/// As people write it.
fn text(address: Addr) -> String {
    IpAddr::from(address.octets()).to_canonical().to_string()
}
