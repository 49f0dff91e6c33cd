//! What a rule refuses of an endpoint.

use enforcer_common::{
    abi::Proto,
    verdict::{Decision, Verdict},
};

use super::{
    endpoint::{Judge, Subject},
    pieces::{self, Piece},
    wording::{listed, ranges, text},
};
use crate::policy::{Code, Diagnostic, FlowEndpoint, PortSpec};

/// What one rule refuses, or would refuse: every one of the ports at every one of the pieces.
pub(super) struct Refused {
    decision: Decision,
    ports: Vec<PortSpec>,
    pieces: Vec<Piece>,
}

/// Whether a flow passes, and whether only because a policy is in audit mode.
pub(super) fn passes(decision: &Decision) -> bool {
    decision.verdict == Verdict::Allow && !decision.would_deny
}

impl Judge<'_> {
    pub(super) fn refused(
        &self,
        endpoint: &FlowEndpoint,
        pieces: &[Piece],
        names: &[&str],
    ) -> Vec<Refused> {
        let stretches = self.stretches(endpoint);
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
            if passes(&decision) {
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

    pub(super) fn refusal(&self, subject: Subject<'_>, refused: &Refused) -> Diagnostic {
        let pieces = pieces::joined(refused.pieces.clone());
        let (first, _) = pieces[0];
        let located = self.geo.locate(first);
        let place = match (located.special, located.country) {
            (Some(range), _) => {
                format!("in the range `{}`, which is in no country", range.as_str())
            }
            (None, Some(country)) => format!("in {country}"),
            (None, None) => "not known to any database".to_owned(),
        };
        let owner = located.asn.map(|asn| format!(", {asn}"));
        let owner = owner.unwrap_or_default();
        let anycast = if located.anycast { ", anycast" } else { "" };
        let whereabouts = format!("{} is {place}{owner}{anycast}", text(first));
        self.denial(
            subject,
            &ranges(&pieces),
            &refused.ports,
            &refused.decision,
            &whereabouts,
        )
    }

    /// The finding about a decision that refuses, with the rule that made it.
    pub(super) fn denial(
        &self,
        subject: Subject<'_>,
        to: &str,
        ports: &[PortSpec],
        decision: &Decision,
        whereabouts: &str,
    ) -> Diagnostic {
        let (code, is_denied) = if decision.would_deny {
            (Code::FlowWouldDeny, "would be denied in mode `enforce`")
        } else {
            (Code::FlowDenied, "is denied")
        };
        let message = format!(
            "flow `{}` to {to} on {} {is_denied}, {}",
            subject.flow.name,
            listed(ports),
            self.by(decision),
        );
        let rule = self.image.rule(decision.rule);
        let mut help = whereabouts.to_owned();
        if let Some(rule) = rule {
            help += &format!("; {}:{} decides", rule.at.file.display(), rule.at.line);
        }
        help += ": permit the endpoint there or before, or withdraw the flow";
        let finding = Diagnostic::new(code, &subject.endpoint.at, message).with_help(help);
        match rule.and_then(|rule| self.sources.place(&rule.at)) {
            Some(place) => finding.with_related(&place, "this decides"),
            None => finding,
        }
    }

    /// Who made a decision, in words.
    pub(super) fn by(&self, decision: &Decision) -> String {
        match self.image.rule(decision.rule) {
            Some(rule) => {
                let name = rule.rule.as_deref().unwrap_or("default");
                let mut by = format!("by rule `{name}` of policy `{}`", rule.policy);
                if let Some(provider) = &rule.no_agreement {
                    by += &format!(": no agreement with `{provider}` is in force");
                }
                by
            }
            None => format!("for the reason `{}`", decision.reason.as_str()),
        }
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
