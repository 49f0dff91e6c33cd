use crate::events::record::{Outcome, Record, Severity};

/// Which records a sink gets. What is not said lets everything through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// `deny`, `would_deny`, `hold`, as in `enforcer.verdict`.
    pub verdicts: Vec<String>,
    /// Names of policies.
    pub policies: Vec<String>,
    /// Names of workloads; a `*` at the end stands for anything.
    pub workloads: Vec<String>,
    /// The least severe.
    pub severity: Option<Severity>,
}

/// Verdicts that a filter can name.
pub(super) const VERDICTS: [Outcome; 5] = [
    Outcome::Denied,
    Outcome::WouldDeny,
    Outcome::Held,
    Outcome::Allowed,
    Outcome::Unknown,
];

impl Filter {
    /// Whether the record passes. What happened to the daemon itself always does, unless it is not
    /// severe enough: a gap must be seen by whoever reads the sink.
    #[must_use]
    pub fn passes(&self, record: &Record) -> bool {
        if self.severity.is_some_and(|least| record.severity() < least) {
            return false;
        }
        let Some(facts) = record.facts() else {
            return true;
        };
        let policy = facts.rule.as_ref().map(|rule| &*rule.policy);
        let workload = facts
            .workload
            .as_ref()
            .map_or("unknown", |workload| &*workload.name);
        let any = |names: &[String], is: &dyn Fn(&str) -> bool| {
            names.is_empty() || names.iter().any(|name| is(name))
        };
        any(&self.verdicts, &|name| name == facts.outcome.as_str())
            && any(&self.policies, &|name| Some(name) == policy)
            && any(&self.workloads, &|name| match name.strip_suffix('*') {
                Some(start) => workload.starts_with(start),
                None => name == workload,
            })
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc};

    use jiff::Timestamp;

    use super::Filter;
    use crate::events::{
        aggregate::Describe as _,
        enrich::{Enricher, process::ProcFs},
        record::{DaemonEvent, Record, Severity, Violation},
        samples::{SampleContext, event},
    };

    fn denied() -> Record {
        let proc = ProcFs::at(Path::new("/nonexistent"));
        Record::Violation(Violation {
            facts: Arc::clone(&Enricher::new(SampleContext::of_a_node(), proc).event(&event())),
            count: 1,
            bytes: 0,
            start: Timestamp::UNIX_EPOCH,
            end: Timestamp::UNIX_EPOCH,
        })
    }

    #[test]
    fn each_condition_holds() {
        let names = |name: &str| vec!["other".to_owned(), name.to_owned()];
        let cases = [
            (Filter::default(), true),
            (
                Filter {
                    verdicts: names("deny"),
                    ..Filter::default()
                },
                true,
            ),
            (
                Filter {
                    verdicts: names("hold"),
                    ..Filter::default()
                },
                false,
            ),
            (
                Filter {
                    policies: names("sovereign-llm"),
                    ..Filter::default()
                },
                true,
            ),
            (
                Filter {
                    policies: names("sovereign"),
                    ..Filter::default()
                },
                false,
            ),
            (
                Filter {
                    workloads: names("llm/vllm-0"),
                    ..Filter::default()
                },
                true,
            ),
            (
                Filter {
                    workloads: names("llm/*"),
                    ..Filter::default()
                },
                true,
            ),
            (
                Filter {
                    workloads: names("crm/*"),
                    ..Filter::default()
                },
                false,
            ),
            (
                Filter {
                    severity: Some(Severity::Medium),
                    ..Filter::default()
                },
                true,
            ),
            (
                Filter {
                    severity: Some(Severity::High),
                    ..Filter::default()
                },
                false,
            ),
        ];
        for (filter, passes) in cases {
            assert_eq!(filter.passes(&denied()), passes, "{filter:?}");
        }
    }

    #[test]
    fn losses_are_told_whatever_else_is_not() {
        let lost = DaemonEvent::EventsLost {
            cause: "ring_full",
            count: 1,
        };
        let filter = Filter {
            policies: vec!["crm".into()],
            ..Filter::default()
        };
        assert!(filter.passes(&Record::Daemon(Timestamp::UNIX_EPOCH, lost)));
    }
}
