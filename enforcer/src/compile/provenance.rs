//! Rule numbers to names and places.

use std::sync::Arc;

use enforcer_common::abi::RuleId;

use super::{CompileError, resolve::EffectivePolicy};
use crate::policy::{Action, Mode, PolicyName, Position};

/// Where a decision comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// The policy.
    pub policy: PolicyName,
    /// The rule; `None` is the policy's default. `dns.resolvers` is what that field implies.
    pub rule: Option<Arc<str>>,
    /// Where it stands.
    pub at: Position,
    /// What it says.
    pub action: Action,
    /// The rule allows, and this provider is denied: no agreement with it is in force.
    pub no_agreement: Option<Arc<str>>,
    /// Mode of the policy.
    pub mode: Mode,
    /// `dataCategories` of the policy.
    pub data_categories: Arc<[String]>,
    /// `legalBasis` of the policy.
    pub legal_basis: Arc<[String]>,
}

/// Every rule and default with its number.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// Element 0 is [`RuleId::NONE`].
    provenance: Vec<Option<Provenance>>,
    /// For each policy: number of its first rule; its default follows its last rule.
    first: Vec<u16>,
}

impl Rules {
    pub(super) fn number(policies: &[EffectivePolicy<'_>]) -> Result<Self, CompileError> {
        let most = usize::from(u16::MAX);
        let rules = policies.iter().map(|policy| policy.rules.len() + 1).sum();
        if rules > most {
            let largest = policies.iter().max_by_key(|policy| policy.rules.len());
            let largest = largest.map_or_else(String::new, |effective| {
                let (policy, rules) = (effective.policy, effective.rules.len());
                format!(
                    "policy `{}` ({}) with {rules} rules",
                    policy.name, policy.at
                )
            });
            return Err(CompileError::TooManyRules {
                rules,
                most,
                largest,
            });
        }
        let mut numbered = Self {
            provenance: vec![None],
            first: Vec::new(),
        };
        for effective in policies {
            let policy = effective.policy;
            numbered.first.push(numbered.provenance.len() as u16);
            let default = Provenance {
                policy: policy.name.clone(),
                rule: None,
                at: policy.default_at.clone(),
                action: policy.default,
                no_agreement: None,
                mode: policy.mode,
                data_categories: policy.data_categories.clone().into(),
                legal_basis: policy.legal_basis.clone().into(),
            };
            for rule in &effective.rules {
                numbered.provenance.push(Some(Provenance {
                    rule: Some(rule.name.clone()),
                    at: rule.at.clone(),
                    action: rule.action,
                    no_agreement: rule.no_agreement.clone(),
                    ..default.clone()
                }));
            }
            numbered.provenance.push(Some(default));
        }
        Ok(numbered)
    }

    /// Number of rule `rule` of policy `policy`; the default is the rule after the last.
    pub(super) fn id(&self, policy: usize, rule: usize) -> RuleId {
        RuleId(self.first[policy] + rule as u16)
    }

    pub(super) fn get(&self, id: RuleId) -> Option<&Provenance> {
        self.provenance.get(usize::from(id.0))?.as_ref()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (RuleId, &Provenance)> {
        let numbered = self.provenance.iter().enumerate();
        numbered.filter_map(|(id, rule)| Some((RuleId(id as u16), rule.as_ref()?)))
    }
}
