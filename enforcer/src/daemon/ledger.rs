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
    /// Of the images credited so far, rule 0 included.
    most_rules: Option<usize>,
    totals: BTreeMap<Account, DecisionCount>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Account {
    policy: String,
    rule: String,
    mode: &'static str,
}

impl Ledger {
    /// How many rules may have counted since the last credit, `image` being in force. All, the first
    /// time: an earlier daemon's image may have had any number.
    pub(super) fn rules(&self, image: Option<&Image>) -> usize {
        match (self.most_rules, image) {
            (Some(before), Some(image)) => before.max(rules_of(image)),
            (None, _) | (_, None) => usize::MAX,
        }
    }

    /// Credits what was counted since the last call to the rules of `image`, which was in force.
    pub(super) fn credit(&mut self, counted: &[(RuleId, DecisionCount)], image: Option<&Image>) {
        if let Some(image) = image {
            self.most_rules = Some(self.most_rules.unwrap_or(0).max(rules_of(image)));
        }
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

/// With rule 0, which is none of the image's.
fn rules_of(image: &Image) -> usize {
    image.rules().count() + 1
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
        image_of(&[name])
    }

    /// One rule, the default, for each name.
    fn image_of(names: &[&str]) -> Image {
        let text: String = names
            .iter()
            .map(|name| {
                format!(
                    "---\n{{apiVersion: enforcer.dev/v1alpha1, kind: EgressPolicy, metadata: {{name: {name}}}, \
                     spec: {{selector: [{{exec: true}}], mode: enforce, default: deny}}}}\n"
                )
            })
            .collect();
        let policies = load_text("policy.yaml", &text).expect("sound").policies;
        let geo = GeoSet::default();
        let class = (0..names.len()).collect();
        compile(&Input::of(&policies, &[class], &geo)).expect("it fits")
    }

    #[test]
    fn rules_of_larger_images_are_still_read() {
        let mut ledger = Ledger::default();
        let (large, small) = (image_of(&["large", "and"]), image("small"));
        assert_eq!(ledger.rules(Some(&large)), usize::MAX);
        ledger.credit(&[], Some(&large));
        assert_eq!(ledger.rules(Some(&small)), 3);
        assert_eq!(ledger.rules(None), usize::MAX);
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
