//! Recorded flows under other policies: what would change.

mod recorded;

use std::path::PathBuf;

use enforcer_common::{
    abi::ClassId,
    verdict::{Decision, Verdict},
};
use jiff::Timestamp;
use serde::Serialize;

pub use recorded::{FlowsError, read};

use super::{explain::Destination, node_resolvers};
use crate::{
    compile::{CompileError, Image, Input, compile},
    control::FlowRecord,
    geo::GeoSet,
    policy::{Minute, Policy, PolicyName},
    workloads::{Classes, cgroup2::upwards},
};

/// What a simulation found.
#[derive(Debug, Serialize)]
pub struct Simulation {
    /// Flows that were judged again.
    pub judged: usize,
    /// Flows that were not: no policy decided them (isolated, unknown, a fault), or their record
    /// does not say enough.
    pub not_judged: usize,
    /// Flows that would end otherwise, the most frequent first.
    pub changes: Vec<Change>,
}

/// A flow that would end otherwise.
#[derive(Debug, Serialize)]
pub struct Change {
    /// The flow as it was recorded.
    pub flow: FlowRecord,
    /// What became of it.
    pub old: Judged,
    /// What would become of it.
    pub new: Judged,
}

/// A verdict and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// `allow`, `deny` or `would_deny`.
    pub verdict: String,
    /// `rule`; or `released`: no policy selects the workload.
    pub reason: String,
    /// The policy that decides.
    pub policy: Option<String>,
    /// `default` for the policy's default.
    pub rule: Option<String>,
    /// Where the rule stands.
    pub file: Option<PathBuf>,
    /// See [`Judged::file`]; the first line is 1.
    pub line: Option<u32>,
}

/// Judges recorded flows by `policies`, as if these and no others were in force.
///
/// # Errors
/// The policies are more than an image can hold.
pub fn simulate(
    flows: Vec<FlowRecord>,
    policies: &[Policy],
    geo: &GeoSet,
) -> Result<Simulation, CompileError> {
    let mut classes = Classes::default();
    let recorded = flows.len();
    let flows: Vec<_> = flows
        .into_iter()
        .filter_map(|flow| Some((Subject::of(&flow, policies, &mut classes)?, flow)))
        .collect();
    let image = compile(&Input {
        now: Minute::of(Timestamp::now()),
        cluster_dns: &node_resolvers(),
        ..Input::of(policies, &classes.members(policies), geo)
    })?;
    let judged = flows.len();
    let mut changes: Vec<Change> = flows
        .into_iter()
        .map(|(subject, flow)| Change {
            old: Judged::recorded(&flow),
            new: subject.judge(&image),
            flow,
        })
        .filter(|change| change.old.verdict != change.new.verdict)
        .collect();
    changes.sort_by(|a, b| {
        let name = |change: &Change| (change.flow.cgroup.clone(), change.flow.to());
        let frequent = b.flow.count.cmp(&a.flow.count);
        frequent.then_with(|| name(a).cmp(&name(b)))
    });
    Ok(Simulation {
        judged,
        not_judged: recorded - judged,
        changes,
    })
}

/// Whose flow it would be, and where it goes.
struct Subject {
    /// `None`: no policy selects it.
    class: Option<ClassId>,
    to: Destination,
}

impl Subject {
    /// `None` where policies have no say, or the record does not tell enough.
    fn of(flow: &FlowRecord, policies: &[Policy], classes: &mut Classes) -> Option<Self> {
        let judged = matches!(flow.reason.as_deref(), Some("rule" | "released"));
        let cgroup = flow.cgroup.as_ref().filter(|_| judged)?;
        let to = flow.to().parse().ok()?;
        let set = selecting(policies, cgroup);
        let class = (!set.is_empty()).then(|| classes.of(set));
        Some(Self { class, to })
    }

    fn judge(&self, image: &Image) -> Judged {
        let Some(class) = self.class else {
            return Judged::released();
        };
        Judged::by(
            &image.decide(class, &self.to.flow(), &self.to.names()),
            image,
        )
    }
}

/// A policy that selects a cgroup holds for all below it, as `workloads::Scope` has it.
fn selecting(policies: &[Policy], cgroup: &str) -> Vec<PolicyName> {
    let selects = |policy: &&Policy| {
        upwards(cgroup).any(|path| {
            let mut selectors = policy.selectors.iter();
            selectors.any(|selector| selector.matches_cgroup(path))
        })
    };
    let mut set: Vec<PolicyName> = policies
        .iter()
        .filter(selects)
        .map(|policy| policy.name.clone())
        .collect();
    set.sort_unstable();
    set
}

impl Judged {
    fn released() -> Self {
        Self {
            verdict: "allow".to_owned(),
            reason: "released".to_owned(),
            policy: None,
            rule: None,
            file: None,
            line: None,
        }
    }

    fn recorded(flow: &FlowRecord) -> Self {
        Self {
            verdict: flow.verdict.clone(),
            reason: flow.reason.clone().unwrap_or_default(),
            policy: flow.policy.clone(),
            rule: flow.rule.clone(),
            file: flow.file.clone(),
            line: flow.line,
        }
    }

    fn by(decision: &Decision, image: &Image) -> Self {
        let rule = image.rule(decision.rule);
        let verdict = match decision.verdict {
            Verdict::Allow if decision.would_deny => "would_deny",
            Verdict::Allow => "allow",
            Verdict::Deny => "deny",
            Verdict::Hold => "hold",
        };
        Self {
            verdict: verdict.to_owned(),
            reason: decision.reason.as_str().to_owned(),
            policy: rule.map(|rule| rule.policy.to_string()),
            rule: rule.map(|rule| rule.rule.as_deref().unwrap_or("default").to_owned()),
            file: rule.map(|rule| rule.at.file.to_path_buf()),
            line: rule.map(|rule| rule.at.line),
        }
    }
}

#[cfg(test)]
mod tests;
