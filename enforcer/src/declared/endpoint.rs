//! One endpoint of a flow, decided.

use enforcer_common::{
    abi::{CgroupId, ClassId, Hook, Ports, Proto},
    verdict::{Decision, Flow},
};

use super::{
    pieces::{self, Piece},
    wording::ranges,
};
use crate::{
    compile::{Atlas, Image},
    geo::GeoSet,
    policy::{
        Cidr, Code, DataFlow, Diagnostic, Diagnostics, FlowEndpoint, NamePattern, Policy, PortSpec,
        Provider, Sources, Target,
    },
};

/// What the endpoints of a workload are judged with.
pub(super) struct Judge<'a> {
    pub(super) sources: &'a Sources,
    /// Those of the workload.
    pub(super) policies: Vec<&'a Policy>,
    pub(super) class: ClassId,
    pub(super) image: &'a Image,
    pub(super) atlas: &'a Atlas,
    pub(super) geo: &'a GeoSet,
}

/// What a finding is about.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) flow: &'a DataFlow,
    pub(super) endpoint: &'a FlowEndpoint,
}

impl Judge<'_> {
    /// Reports what is wrong with an endpoint.
    pub(super) fn endpoint(&self, flow: &DataFlow, endpoint: &FlowEndpoint, out: &mut Diagnostics) {
        let subject = Subject { flow, endpoint };
        match &endpoint.target {
            Target::Addresses => self.networks(subject, &endpoint.addresses, &[], out),
            Target::Host(host) if endpoint.addresses.is_empty() => self.name(subject, host, out),
            Target::Host(host) => self.networks(subject, &endpoint.addresses, &[host], out),
            Target::Provider(provider) => self.provider(subject, provider, out),
        }
    }

    /// All that a provider's entry names. Those of its AS numbers are not known.
    fn provider(&self, subject: Subject<'_>, provider: &Provider, out: &mut Diagnostics) {
        for endpoint in &provider.endpoints {
            for host in &endpoint.hosts {
                match host {
                    NamePattern::Exact(name) => self.name(subject, name, out),
                    // Any name below stands for all: a policy may name some of them besides.
                    NamePattern::Below(suffix) => self.name(subject, &format!("any.{suffix}"), out),
                }
            }
            self.networks(subject, &endpoint.cidrs, &[], out);
            if endpoint.hosts.is_empty() && endpoint.cidrs.is_empty() {
                let message = format!(
                    "flow `{}` to provider `{}` is not judged: its entry names only AS numbers",
                    subject.flow.name, provider.name
                );
                out.push(
                    Diagnostic::new(Code::FlowNotJudged, &subject.endpoint.at, message)
                        .with_help("declare the `addresses` that the flow goes to"),
                );
            }
        }
    }

    fn networks(
        &self,
        subject: Subject<'_>,
        networks: &[Cidr],
        names: &[&str],
        out: &mut Diagnostics,
    ) {
        let (embedding, plain): (Vec<Cidr>, Vec<Cidr>) =
            networks.iter().partition(|&&network| self.embeds(network));
        for network in embedding {
            out.push(not_unfolded(subject, network));
        }
        let pieces: Vec<Piece> = plain
            .iter()
            .flat_map(|&network| {
                let (first, last) = network.ends();
                pieces::of_network(network, self.atlas.starts_between(first, last))
            })
            .collect();
        for refused in self.refused(subject.endpoint, &pieces, names) {
            out.push(self.refusal(subject, &refused));
        }
        out_of_agreement(self.geo, subject, &plain, out);
    }

    /// Whether the addresses of a network stand for others, each for its own: such a network has no
    /// pieces. A single address is judged as what it stands for.
    fn embeds(&self, network: Cidr) -> bool {
        let (first, last) = network.ends();
        let located = self.geo.locate(first);
        first != last && (located.judged != first || located.also.is_some())
    }

    /// `None`: the protocol does not go to such addresses.
    pub(super) fn decide(
        &self,
        spec: PortSpec,
        (dst, _): Piece,
        names: &[&str],
    ) -> Option<Decision> {
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

    pub(super) fn stretches(&self, endpoint: &FlowEndpoint) -> Vec<PortSpec> {
        let ports = endpoint.ports.iter();
        ports
            .flat_map(|&spec| pieces::of_ports(spec, &self.policies))
            .collect()
    }
}

/// Reports where the databases name different countries for parts of the networks.
fn out_of_agreement(geo: &GeoSet, subject: Subject<'_>, networks: &[Cidr], out: &mut Diagnostics) {
    let disputed: Vec<Piece> = networks
        .iter()
        .flat_map(|&network| {
            let (first, last) = network.ends();
            pieces::of_network(network, geo.starts_between(first, last))
        })
        .filter(|&(first, _)| {
            let located = geo.locate(first);
            located.special.is_none() && !located.countries_agree
        })
        .collect();
    let Some(&(first, _)) = disputed.first() else {
        return;
    };
    let located = geo.locate(first);
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
        subject.flow.name,
        answers.join(", ")
    );
    out.push(
        Diagnostic::new(Code::FlowLocationDisputed, &subject.endpoint.at, message).with_help(
            "ask who runs the endpoint where it is; an address that the databases agree about \
             needs no judgement",
        ),
    );
}

fn not_unfolded(subject: Subject<'_>, network: Cidr) -> Diagnostic {
    let message = format!(
        "flow `{}` to {network} is not judged: each address is judged as the IPv4 address inside it",
        subject.flow.name
    );
    Diagnostic::new(Code::FlowNotJudged, &subject.endpoint.at, message)
        .with_help("declare the IPv4 network")
}
