//! Workloads that are refused again and again: one record for a person, beside those for each flow.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;

use super::record::{Facts, Finding, Outcome, Violation};

/// How many refusals of one workload by one policy within [`WINDOW`] make a finding.
pub const THRESHOLD: u64 = 100;

/// For how long refusals are counted together. A finding that goes on is told once in each.
pub const WINDOW: Duration = Duration::from_secs(300);

/// How many pairs of workload and policy are counted at once. Beyond, those that are quiet for
/// longest are forgotten first: their records have been told all the same.
const MOST: usize = 4096;

/// Counts what each policy refuses to each workload.
#[derive(Debug, Default)]
pub struct Offenders {
    watched: HashMap<Who, Watched>,
    found: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Who {
    /// Its name; the path of the cgroup where it has none.
    workload: Arc<str>,
    policy: Arc<str>,
}

#[derive(Debug)]
struct Watched {
    start: Timestamp,
    end: Timestamp,
    count: u64,
    /// Told in this window.
    told: bool,
    /// Number and beginning of the finding, once there is one.
    finding: Option<(u64, Timestamp)>,
}

impl Offenders {
    /// Counts a record, whose number is `sequence`. The one that makes the count reach
    /// [`THRESHOLD`] makes a finding.
    pub fn note(&mut self, violation: &Violation, sequence: u64) -> Option<Finding> {
        let who = Who::of(&violation.facts)?;
        if self.watched.len() >= MOST && !self.watched.contains_key(&who) {
            self.make_room(violation.end);
        }
        let watched = match self.watched.entry(who) {
            Entry::Occupied(watched) => watched.into_mut().go_on(violation),
            Entry::Vacant(vacant) => vacant.insert(Watched::begin(violation)),
        };
        watched.count = watched.count.saturating_add(violation.count);
        watched.end = watched.end.max(violation.end);
        if watched.told || watched.count < THRESHOLD {
            return None;
        }
        watched.told = true;
        let again = watched.finding.is_some();
        let (number, since) = *watched.finding.get_or_insert_with(|| {
            self.found += 1;
            (self.found, watched.start)
        });
        Some(Finding {
            number,
            again,
            since,
            count: watched.count,
            start: watched.start,
            end: watched.end,
            evidence: sequence,
            facts: Arc::clone(&violation.facts),
        })
    }

    fn make_room(&mut self, now: Timestamp) {
        self.watched.retain(|_, watched| !watched.is_over(now));
        if self.watched.len() >= MOST {
            let quiet = self.watched.iter().min_by_key(|(_, watched)| watched.end);
            if let Some(who) = quiet.map(|(who, _)| who.clone()) {
                self.watched.remove(&who);
            }
        }
    }
}

impl Who {
    /// `None` where nothing was refused, or not by a policy.
    fn of(facts: &Facts) -> Option<Self> {
        let rule = facts.rule.as_ref()?;
        let workload = facts.workload.as_ref().map(|workload| &workload.name);
        (facts.outcome == Outcome::Denied).then_some(Self {
            workload: Arc::clone(workload.or(facts.cgroup.as_ref())?),
            policy: Arc::clone(&rule.policy),
        })
    }
}

impl Watched {
    fn begin(violation: &Violation) -> Self {
        Self {
            start: violation.start,
            end: violation.end,
            count: 0,
            told: false,
            finding: None,
        }
    }

    fn is_over(&self, now: Timestamp) -> bool {
        now.duration_since(self.start).unsigned_abs() > WINDOW
    }

    /// The same window, or the next. A finding ends with a window in which it was not told.
    fn go_on(&mut self, violation: &Violation) -> &mut Self {
        if self.is_over(violation.end) {
            let finding = self.finding.filter(|_| self.told);
            *self = Self {
                finding,
                ..Self::begin(violation)
            };
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc};

    use enforcer_common::abi::{Event, RuleId};
    use jiff::{SignedDuration, Timestamp};

    use super::{Finding, MOST, Offenders, THRESHOLD, WINDOW};
    use crate::events::{
        aggregate::Describe as _,
        context::WorkloadInfo,
        enrich::{Enricher, process::ProcFs},
        record::{Facts, Violation},
        samples::{SampleContext, event},
    };

    fn facts(event: &Event) -> Facts {
        let proc = ProcFs::at(Path::new("/nonexistent"));
        Arc::unwrap_or_clone(Enricher::new(SampleContext::of_a_node(), proc).event(event))
    }

    fn refused(facts: Facts, seconds: i64, count: u64) -> Violation {
        let at = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds);
        Violation {
            facts: Arc::new(facts),
            count,
            bytes: 0,
            start: at,
            end: at,
        }
    }

    fn note(offenders: &mut Offenders, seconds: i64, count: u64) -> Option<Finding> {
        offenders.note(&refused(facts(&event()), seconds, count), 7)
    }

    #[test]
    fn the_refusal_that_reaches_the_threshold_is_the_evidence() {
        let mut offenders = Offenders::default();
        assert_eq!(note(&mut offenders, 10, THRESHOLD - 1), None);
        let found = note(&mut offenders, 20, 1).expect("a finding");
        assert_eq!((found.number, found.again, found.evidence), (1, false, 7));
        assert_eq!((found.count, found.start.as_second()), (THRESHOLD, 10));
        assert_eq!(found.end.as_second(), 20);
        assert_eq!(
            note(&mut offenders, 30, 1_000_000),
            None,
            "told once a window"
        );
    }

    #[test]
    fn what_goes_on_keeps_its_number_and_what_stopped_does_not() {
        let window = WINDOW.as_secs() as i64 + 1;
        let mut offenders = Offenders::default();
        let mut found = |seconds, count| {
            let found = note(&mut offenders, seconds, count)?;
            Some((found.number, found.again, found.since.as_second()))
        };
        assert_eq!(found(0, THRESHOLD), Some((1, false, 0)));
        assert_eq!(found(window, THRESHOLD), Some((1, true, 0)));
        assert_eq!(found(2 * window, 1), None);
        assert_eq!(found(3 * window, THRESHOLD), Some((2, false, 3 * window)));
    }

    #[test]
    fn slow_refusals_and_those_without_a_policy_are_no_finding() {
        let mut offenders = Offenders::default();
        for minute in 0..1000 {
            assert_eq!(note(&mut offenders, minute * 60, THRESHOLD / 10), None);
        }
        let mut isolated = event();
        isolated.flow.rule = RuleId::NONE;
        let isolated = refused(facts(&isolated), 0, THRESHOLD);
        assert_eq!(offenders.note(&isolated, 1), None);
        let mut audited = event();
        audited.flow.verdict = 0x80;
        let audited = refused(facts(&audited), 0, THRESHOLD);
        assert_eq!(offenders.note(&audited, 1), None);
    }

    #[test]
    fn memory_has_a_bound() {
        let mut offenders = Offenders::default();
        for number in 0..2 * MOST {
            let mut facts = facts(&event());
            facts.workload = facts.workload.map(|known| {
                Arc::new(WorkloadInfo {
                    name: number.to_string().into(),
                    kind: known.kind.clone(),
                })
            });
            offenders.note(&refused(facts, 0, 1), 1);
        }
        assert_eq!(offenders.watched.len(), MOST);
    }
}
