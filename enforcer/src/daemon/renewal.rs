//! What changes by itself: agreements that end.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    events::DaemonEvent,
    policy::{Action, Minute, Policy, Provider},
};

/// A clock that is set is noticed after this.
const LONGEST_NAP: Duration = Duration::from_secs(10);

/// The current minute.
pub(super) fn now() -> Minute {
    Minute::of(Timestamp::now())
}

/// Returns when the minute begins; never, where there is none.
pub(super) async fn due(minute: Option<Minute>) {
    let Some(minute) = minute else {
        return std::future::pending().await;
    };
    loop {
        let left = Timestamp::now().duration_until(minute.timestamp());
        let Ok(left) = Duration::try_from(left) else {
            return;
        };
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(LONGEST_NAP)).await;
    }
}

/// What to tell of agreements that held when an image was compiled and do not hold in the image of
/// this generation.
pub(super) fn ended(
    policies: &[Policy],
    before: Minute,
    now: Minute,
    generation: u64,
) -> Vec<DaemonEvent> {
    let mut events = Vec::new();
    for policy in policies.iter().filter(|policy| policy.require_dpa) {
        let mut told: Vec<&Provider> = Vec::new();
        let rules = policy.rules.iter();
        let allowing = rules.filter(|rule| rule.action == Action::Allow);
        let peers = allowing.flat_map(|rule| &rule.peers);
        for provider in peers.flat_map(|peer| peer.providers.iter().flatten()) {
            let over = provider.has_agreement(before) && !provider.has_agreement(now);
            if !over || told.iter().any(|one| one.name == provider.name) {
                continue;
            }
            told.push(provider);
            let agreement = provider.agreement.as_ref();
            events.push(DaemonEvent::AgreementEnded {
                provider: provider.name.clone(),
                policy: policy.name.0.clone(),
                reference: agreement.and_then(|agreement| agreement.reference.clone()),
                generation,
            });
        }
    }
    events
}
