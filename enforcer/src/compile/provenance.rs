//! Rule numbers to names and places.

use std::sync::Arc;

use enforcer_common::abi::RuleId;

use super::CompileError;
use crate::policy::{Action, Mode, Policy, PolicyName, Position};

/// Where a decision comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// The policy.
    pub policy: PolicyName,
    /// The rule; `None` is the policy's default.
    pub rule: Option<Arc<str>>,
    /// Where it stands.
    pub at: Position,
    /// What it says.
    pub action: Action,
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
    pub(super) fn number(policies: &[Policy]) -> Result<Self, CompileError> {
        let most = usize::from(u16::MAX);
        let rules = policies.iter().map(|policy| policy.rules.len() + 1).sum();
        if rules > most {
            let largest = policies.iter().max_by_key(|policy| policy.rules.len());
            let largest = largest.map_or_else(String::new, |policy| {
                format!(
                    "policy `{}` ({}) with {} rules",
                    policy.name,
                    policy.at,
                    policy.rules.len()
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
        for policy in policies {
            numbered.first.push(numbered.provenance.len() as u16);
            let data_categories: Arc<[String]> = policy.data_categories.clone().into();
            let legal_basis: Arc<[String]> = policy.legal_basis.clone().into();
            let rules = policy
                .rules
                .iter()
                .map(|rule| (Some(rule.name.clone()), &rule.at, rule.action));
            let default = (None, &policy.default_at, policy.default);
            for (rule, at, action) in rules.chain([default]) {
                numbered.provenance.push(Some(Provenance {
                    policy: policy.name.clone(),
                    rule,
                    at: at.clone(),
                    action,
                    mode: policy.mode,
                    data_categories: data_categories.clone(),
                    legal_basis: legal_basis.clone(),
                }));
            }
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
