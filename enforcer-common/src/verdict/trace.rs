use super::{
    decision::{Decision, Reason, Verdict},
    flow::Flow,
};
use crate::abi::{Addr, CgroupId, ClassId, Hook, Port, Ports, Proto, RuleId};

/// A flow and what was decided, as the traced programs log it: in plain numbers, which is all that
/// a global function of theirs can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// What was judged.
    pub flow: Flow,
    /// What came of it.
    pub decision: Decision,
}

impl Trace {
    /// Cgroup, the halves of the destination, what was asked and decided, and the port.
    #[inline(always)]
    #[must_use]
    pub fn words(&self) -> [u64; 5] {
        let Self { flow, decision } = self;
        let (hi, lo) = flow.dst.halves();
        let what = u64::from(decision.pack()) << 32
            | u64::from(decision.generation) << 16
            | (flow.hook as u64) << 8
            | u64::from(flow.proto.0);
        [flow.subject.0, hi, lo, what, flow.ports.slot().into()]
    }

    /// From its [`words`](Self::words), if this build knows all that they name.
    #[must_use]
    pub fn from_words([subject, hi, lo, what, slot]: [u64; 5]) -> Option<Self> {
        let [
            rule_hi,
            rule_lo,
            reason,
            verdict,
            image_hi,
            image_lo,
            hook,
            proto,
        ] = what.to_be_bytes();
        let proto = Proto(proto);
        let ports = match u16::try_from(slot) {
            Ok(port) => Ports::is(Port(port)),
            Err(_) if proto.has_ports() => Ports::UNKNOWN,
            Err(_) => Ports::ABSENT,
        };
        Some(Self {
            flow: Flow {
                subject: CgroupId(subject),
                dst: Addr::from_halves(hi, lo),
                proto,
                ports,
                hook: Hook::from_byte(hook)?,
            },
            decision: Decision {
                verdict: Verdict::from_byte(verdict)?,
                reason: Reason::from_byte(reason)?,
                rule: RuleId(u16::from_be_bytes([rule_hi, rule_lo])),
                would_deny: verdict & 0x80 != 0,
                by_name: false,
                generation: u16::from_be_bytes([image_hi, image_lo]),
                // Not among the words: who traces asks for rules.
                class: ClassId(0),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Fault;

    #[test]
    fn a_trace_survives_the_wire() {
        let ports = [
            (Proto::TCP, Ports::is(Port(443))),
            (Proto::UDP, Ports::is(Port(0))),
            (Proto::UDP, Ports::UNKNOWN),
            (Proto::ICMPV6, Ports::ABSENT),
        ];
        for (hook, (proto, ports)) in [Hook::Connect, Hook::Sendmsg, Hook::Egress, Hook::Egress]
            .into_iter()
            .zip(ports)
        {
            let trace = Trace {
                flow: Flow {
                    subject: CgroupId(u64::MAX),
                    dst: Addr::from_halves(0x2001_0db8 << 32, 7),
                    proto,
                    ports,
                    hook,
                },
                decision: Decision {
                    verdict: Verdict::Allow,
                    reason: Reason::Fault(Fault::RoutingHeader),
                    rule: RuleId(0xfffe),
                    would_deny: true,
                    by_name: false,
                    generation: 0x8001,
                    class: ClassId(0),
                },
            };
            assert_eq!(Trace::from_words(trace.words()), Some(trace));
        }
    }

    #[test]
    fn words_of_another_build_are_no_trace() {
        assert_eq!(Trace::from_words([1, 0, 0, 0, 0]), None);
    }
}
