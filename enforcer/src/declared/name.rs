//! Hosts whose addresses are not declared: what every address would do under that name.

use enforcer_common::{abi::Addr, verdict::Decision};

use super::{
    endpoint::{Judge, Subject},
    refusal::passes,
    wording::{listed, text},
};
use crate::policy::{Code, Diagnostic, Diagnostics, PortSpec};

/// Two addresses, and what is said of each.
type Pair = [(Addr, Decision); 2];

/// What is said of one stretch of ports under a name.
enum Answer {
    Passes,
    Refused(Decision),
    Depends(Pair),
}

impl Judge<'_> {
    /// Judges a name on each kind of address outside the special-purpose ranges: where it resolves
    /// to is not known. Only what holds for all of them is an answer.
    pub(super) fn name(&self, subject: Subject<'_>, name: &str, out: &mut Diagnostics) {
        let wanted = |address| {
            let located = self.geo.locate(address);
            located.special.is_none() && located.judged == address && located.also.is_none()
        };
        let addresses = self.atlas.representatives(wanted);
        let mut refused: Vec<(Decision, Vec<PortSpec>)> = Vec::new();
        let mut depends: Option<(Vec<PortSpec>, Pair)> = None;
        for spec in self.stretches(subject.endpoint) {
            match self.under_name(spec, name, &addresses) {
                Answer::Passes => {}
                Answer::Refused(decision) => {
                    match refused.iter_mut().find(|(known, _)| *known == decision) {
                        Some((_, ports)) => ports.push(spec),
                        None => refused.push((decision, vec![spec])),
                    }
                }
                Answer::Depends(pair) => depends.get_or_insert((Vec::new(), pair)).0.push(spec),
            }
        }
        for (decision, ports) in refused {
            let whereabouts = "the name alone does not permit it, wherever it resolves to";
            out.push(self.denial(subject, name, &ports, &decision, whereabouts));
        }
        if let Some((ports, pair)) = depends {
            out.push(self.undecided(subject, name, &ports, pair));
        }
    }

    fn under_name(&self, spec: PortSpec, name: &str, addresses: &[Addr]) -> Answer {
        let mut first: Option<(Addr, Decision)> = None;
        for &address in addresses {
            let Some(decision) = self.decide(spec, (address, address), &[name]) else {
                continue;
            };
            let kind = |one: &Decision| (one.verdict, one.would_deny);
            match first {
                None => first = Some((address, decision)),
                Some((_, before)) if kind(&before) == kind(&decision) => {}
                Some(before) => return Answer::Depends([before, (address, decision)]),
            }
        }
        match first {
            Some((_, decision)) if !passes(&decision) => Answer::Refused(decision),
            Some(_) | None => Answer::Passes,
        }
    }

    fn undecided(
        &self,
        subject: Subject<'_>,
        name: &str,
        ports: &[PortSpec],
        mut pair: Pair,
    ) -> Diagnostic {
        pair.sort_by_key(|(_, decision)| !passes(decision));
        let [(permitted, permit), (refused, refuse)] = pair;
        let message = format!(
            "flow `{}` to {name} on {} depends on where the name resolves to: {} would pass {}, \
             {} would not, {}",
            subject.flow.name,
            listed(ports),
            text(permitted),
            self.by(&permit),
            text(refused),
            self.by(&refuse),
        );
        Diagnostic::new(Code::FlowNotJudged, &subject.endpoint.at, message)
            .with_help("declare the `addresses` that it has, or permit the name by `fqdns`")
    }
}
