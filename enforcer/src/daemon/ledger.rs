//! Decisions by policy and rule, whatever number a rule had in which image.

use std::collections::{BTreeMap, HashMap};

use enforcer_common::abi::RuleId;

use crate::{compile::Image, control::DecisionStatus, kernel::DecisionCount, policy::Mode};

/// The kernel counts by the numbers of rules, which are given anew with each image. What it counted
/// until an image goes is credited to that image's rules.
///
/// A decision that a program makes with the old image after it was read last is credited to the rule
/// that has its number in the new one.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    seen: HashMap<RuleId, DecisionCount>,
    totals: BTreeMap<Account, DecisionCount>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Account {
    policy: String,
    rule: String,
    mode: &'static str,
}

impl Ledger {
    /// Credits what was counted since the last call to the rules of `image`, which was in force.
    pub(super) fn credit(&mut self, counted: &[(RuleId, DecisionCount)], image: Option<&Image>) {
        for &(rule, count) in counted {
            let before = self.seen.insert(rule, count).unwrap_or_default();
            let total = self.totals.entry(Account::of(rule, image)).or_default();
            total.allowed += count.allowed.saturating_sub(before.allowed);
            total.denied += count.denied.saturating_sub(before.denied);
            total.would_deny += count.would_deny.saturating_sub(before.would_deny);
        }
    }

    /// What each rule decided.
    pub(super) fn decisions(&self) -> Vec<DecisionStatus> {
        let decided = |(account, count): (&Account, &DecisionCount)| DecisionStatus {
            policy: account.policy.clone(),
            rule: account.rule.clone(),
            mode: account.mode.to_owned(),
            allowed: count.allowed,
            denied: count.denied,
            would_deny: count.would_deny,
        };
        let counted = self.totals.iter();
        let counted = counted.filter(|(_, count)| **count != DecisionCount::default());
        counted.map(decided).collect()
    }
}

impl Account {
    fn of(rule: RuleId, image: Option<&Image>) -> Self {
        match image.and_then(|image| image.rule(rule)) {
            Some(known) => Self {
                policy: known.policy.to_string(),
                rule: known.rule.as_deref().unwrap_or("default").to_owned(),
                mode: match known.mode {
                    Mode::Enforce => "enforce",
                    Mode::Audit => "audit",
                },
            },
            None => Self {
                policy: "unknown".to_owned(),
                rule: rule.0.to_string(),
                mode: "unknown",
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        compile::{Input, compile},
        geo::GeoSet,
        policy::load_text,
    };

    fn image(name: &str) -> Image {
        let text = format!(
            "{{apiVersion: enforcer.dev/v1alpha1, kind: EgressPolicy, metadata: {{name: {name}}}, \
             spec: {{selector: [{{exec: true}}], mode: enforce, default: deny}}}}"
        );
        let policies = load_text("policy.yaml", &text).expect("sound").policies;
        let geo = GeoSet::default();
        compile(&Input::of(&policies, &[vec![0]], &geo)).expect("it fits")
    }

    #[test]
    fn counts_stay_with_the_rule_that_earned_them() {
        let denied = |denied| {
            let count = DecisionCount {
                denied,
                ..DecisionCount::default()
            };
            [(RuleId(1), count)]
        };
        let mut ledger = Ledger::default();
        ledger.credit(&denied(5), Some(&image("first")));
        ledger.credit(&denied(7), Some(&image("second")));
        ledger.credit(&denied(7), Some(&image("second")));
        let told: Vec<_> = ledger
            .decisions()
            .into_iter()
            .map(|decision| (decision.policy, decision.rule, decision.denied))
            .collect();
        let default = || "default".to_owned();
        assert_eq!(
            told,
            [
                ("first".to_owned(), default(), 5),
                ("second".to_owned(), default(), 2)
            ]
        );
    }
}
