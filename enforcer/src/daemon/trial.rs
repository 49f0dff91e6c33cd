//! What a canary refuses that was allowed without it.

use std::{net::SocketAddr, sync::Arc};

use enforcer_common::{
    abi::{CgroupId, ClassId, Hook, Ports},
    verdict::{Flow, Verdict},
};

use crate::{
    compile::Image,
    events::{Outcome, Violation, record::ip},
    workloads::Classes,
};

/// A canary that is counted.
#[derive(Debug)]
pub(super) struct Tried {
    /// Path of its document.
    pub(super) path: String,
    /// The policy.
    pub(super) policy: Arc<str>,
    /// How many refusals are one too many, less one.
    pub(super) limit: u64,
    denied: u64,
    example: Option<String>,
}

impl Tried {
    pub(super) fn new(path: &str, policy: &str, limit: u64) -> Self {
        Self {
            path: path.to_owned(),
            policy: policy.into(),
            limit,
            denied: 0,
            example: None,
        }
    }

    /// Why it must end, if it must.
    pub(super) fn verdict(&self) -> Option<String> {
        let example = self.example.as_deref().unwrap_or_default();
        (self.denied > self.limit).then(|| {
            format!(
                "the canary denied more than {} times what is allowed without it, such as {example}",
                self.limit
            )
        })
    }
}

/// Counts refusals of canaries by what would hold without them.
pub(super) struct Trial {
    /// Number of the image in force that this stands beside.
    pub(super) generation: u64,
    /// As if nothing were tried.
    image: Image,
    /// Classes that have no policy then: what they have, only what is tried selects.
    free: Vec<bool>,
    tried: Vec<Tried>,
}

impl Trial {
    /// Stands `image`, made of the policies `named`, beside the image in force.
    pub(super) fn new(
        generation: u64,
        image: Image,
        classes: &Classes,
        named: &[&str],
        tried: Vec<Tried>,
    ) -> Self {
        let sets = classes.sets().iter();
        let free = sets.map(|set| !set.iter().any(|policy| named.contains(&&*policy.0)));
        Self {
            generation,
            image,
            free: free.collect(),
            tried,
        }
    }

    /// Goes on counting where an earlier one was.
    pub(super) fn after(mut self, before: Option<Self>) -> Self {
        for counted in before.into_iter().flat_map(|it| it.tried) {
            let same = |it: &&mut Tried| it.path == counted.path && it.limit == counted.limit;
            if let Some(tried) = self.tried.iter_mut().find(same) {
                tried.denied = counted.denied;
                tried.example = counted.example;
            }
        }
        self
    }

    /// Counts a refusal, if a canary is what refused and it would not be one without.
    pub(super) fn refused(&mut self, violation: &Violation) {
        let facts = &violation.facts;
        let (Some(rule), Some(class)) = (&facts.rule, facts.class) else {
            return;
        };
        let refused = matches!(facts.outcome, Outcome::Denied | Outcome::WouldDeny);
        let at = self.tried.iter().position(|it| it.policy == rule.policy);
        let Some(at) = at.filter(|_| refused) else {
            return;
        };
        let to = &facts.destination;
        let flow = Flow {
            subject: CgroupId(0),
            dst: to.addr,
            proto: to.proto,
            ports: to.port.map_or(Ports::ABSENT, Ports::is),
            hook: facts.hook.unwrap_or(Hook::Connect),
        };
        let names: Vec<&str> = to.names.domain.as_deref().into_iter().collect();
        if self.allows(class, &flow, &names) {
            let tried = &mut self.tried[at];
            tried.denied += violation.count.max(1);
            tried.example.get_or_insert_with(|| {
                let address = ip(to.addr);
                match to.port {
                    Some(port) => SocketAddr::new(address, port.0).to_string(),
                    None => address.to_string(),
                }
            });
        }
    }

    fn allows(&self, class: ClassId, flow: &Flow, names: &[&str]) -> bool {
        match self.free.get(usize::from(class.0)) {
            Some(true) => true,
            Some(false) => {
                let decision = self.image.decide(class, flow, names);
                decision.verdict == Verdict::Allow && !decision.would_deny
            }
            // Made since: the next trial has it.
            None => false,
        }
    }

    /// Those that must end.
    pub(super) fn over(&self) -> impl Iterator<Item = (&Tried, String)> {
        let tried = self.tried.iter();
        tried.filter_map(|tried| Some((tried, tried.verdict()?)))
    }
}
