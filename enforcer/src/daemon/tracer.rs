//! `run --trace-kernel`: every decision on standard error.

use std::{
    io::{self, Write as _},
    net::IpAddr,
};

use enforcer_common::{
    abi::RuleId,
    verdict::{Trace, Verdict},
};

use super::{context::Known, reporter::RingBell};
use crate::{events::Context as _, kernel::Traces};

/// Tells what the traced programs log.
pub(super) struct Tracer {
    traces: Traces,
    bell: RingBell,
}

impl Tracer {
    /// Must be called inside a runtime.
    pub(super) fn new(traces: Traces) -> io::Result<Self> {
        let bell = RingBell::on(traces.readiness()?)?;
        Ok(Self { traces, bell })
    }

    /// Waits until there may be a trace. Safe to drop at any time.
    pub(super) async fn rung(&self) -> io::Result<()> {
        self.bell.rung().await
    }

    /// Writes what there is. `generation` is the number of the image in force.
    pub(super) fn tell(&mut self, known: &Known, generation: u64) {
        let mut out = io::stderr().lock();
        for trace in self.traces.take() {
            // Who reads it may be gone, and enforcement does not depend on it.
            let _ = writeln!(out, "{}", line(&trace, known, generation));
        }
    }
}

fn line(Trace { flow, decision }: &Trace, known: &Known, generation: u64) -> String {
    let cgroup = known
        .cgroup_path(flow.subject)
        .unwrap_or_else(|| flow.subject.0.to_string().into());
    let port = match flow.ports.port() {
        Some(port) => port.0.to_string(),
        None => "-".to_owned(),
    };
    let verdict = match decision.verdict {
        Verdict::Allow if decision.would_deny => "would_deny",
        Verdict::Allow => "allow",
        Verdict::Deny => "deny",
        Verdict::Hold => "hold",
    };
    // The programs keep the low bits; an image is at most that many behind.
    let behind = (generation as u16).wrapping_sub(decision.generation);
    let rule = match known.rule(decision.rule, generation.wrapping_sub(behind.into())) {
        Some(rule) => format!("{}/{}", rule.policy, rule.rule),
        None if decision.rule == RuleId::NONE => "-".to_owned(),
        None => decision.rule.0.to_string(),
    };
    format!(
        "enforcer: trace: hook={} cgroup={cgroup} dst={} proto={} port={port} verdict={verdict} \
         reason={} rule={rule}",
        flow.hook.as_str(),
        IpAddr::from(flow.dst.octets()).to_canonical(),
        flow.proto.0,
        decision.reason.as_str(),
    )
}

/// Waits until something was traced: for ever, where nothing is.
pub(super) async fn traced(tracer: Option<&Tracer>) -> io::Result<()> {
    match tracer {
        Some(tracer) => tracer.rung().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use enforcer_common::{
        abi::{Addr, CgroupId, ClassId, Hook, Port, Ports, Proto},
        verdict::{Decision, Flow, Reason},
    };

    use super::*;
    use crate::events::{WorkloadInfo, WorkloadKind};

    #[test]
    fn a_line_names_what_is_known_and_numbers_the_rest() {
        let mut known = Known::default();
        let workload = WorkloadInfo {
            name: "/llm".into(),
            kind: WorkloadKind::Cgroup,
        };
        known.learn_workload(CgroupId(7), "/llm", workload);
        let mut trace = Trace {
            flow: Flow {
                subject: CgroupId(7),
                dst: Addr::from_halves(0, 0xffff_c000_0201),
                proto: Proto::TCP,
                ports: Ports::is(Port(443)),
                hook: Hook::Connect,
            },
            decision: Decision {
                verdict: Verdict::Allow,
                reason: Reason::Rule,
                rule: RuleId(3),
                would_deny: true,
                by_name: false,
                generation: 1,
                class: ClassId(0),
            },
        };
        assert_eq!(
            line(&trace, &known, 2),
            "enforcer: trace: hook=connect cgroup=/llm dst=192.0.2.1 proto=6 port=443 \
             verdict=would_deny reason=rule rule=3"
        );
        trace.flow.subject = CgroupId(8);
        trace.flow.proto = Proto::ICMP;
        trace.flow.ports = Ports::ABSENT;
        trace.decision = Decision::because(Verdict::Hold, Reason::Unknown);
        assert_eq!(
            line(&trace, &known, 2),
            "enforcer: trace: hook=connect cgroup=8 dst=192.0.2.1 proto=1 port=- verdict=hold \
             reason=unknown rule=-"
        );
    }
}
