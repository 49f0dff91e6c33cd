use jiff::Timestamp;

use super::{
    document::{
        Agent, Agreed, DatabaseAge, Document, ECS, Event, Failure, Host, Own, OwnDaemon, Time,
    },
    severity,
};
use crate::events::record::DaemonEvent;

/// What the schema has words for.
struct Headline {
    category: &'static str,
    types: &'static [&'static str],
    action: &'static str,
    outcome: &'static str,
}

pub(super) fn document<'a>(
    at: Timestamp,
    event: &'a DaemonEvent,
    sequence: u64,
    observer: Agent<'a>,
    host: Host<'a>,
) -> Document<'a> {
    let Headline {
        category,
        types,
        action,
        outcome,
    } = headline(event);
    let own = own(event, observer.run);
    Document {
        timestamp: Time(at),
        ecs: ECS,
        event: Event {
            kind: "event",
            category: [category],
            types,
            action,
            reason: None,
            outcome,
            sequence,
            severity: severity(event.severity()),
            dataset: "enforcer.daemon",
            module: "enforcer",
            start: None,
            end: None,
        },
        message: Some(message(event)),
        error: match event {
            DaemonEvent::PoliciesRejected { diagnostics, .. } => Some(Failure {
                message: diagnostics.join("\n"),
            }),
            DaemonEvent::Started { .. }
            | DaemonEvent::Adopted { .. }
            | DaemonEvent::Detached
            | DaemonEvent::Stopped
            | DaemonEvent::PoliciesLoaded { .. }
            | DaemonEvent::AgreementEnded { .. }
            | DaemonEvent::DatabaseOld { .. }
            | DaemonEvent::Faults { .. }
            | DaemonEvent::EventsLost { .. } => None,
        },
        network: None,
        destination: None,
        source: None,
        process: None,
        container: None,
        orchestrator: None,
        rule: None,
        observer,
        host,
        enforcer: Own::Daemon(own),
    }
}

fn headline(event: &DaemonEvent) -> Headline {
    let (category, types, action, outcome): (_, &'static [_], _, _) = match event {
        DaemonEvent::Started { .. } => ("host", &["start"], "enforcement-started", "success"),
        DaemonEvent::Adopted { .. } => ("host", &["start"], "enforcement-adopted", "success"),
        DaemonEvent::Detached => ("host", &["end"], "enforcement-detached", "success"),
        DaemonEvent::Stopped => ("host", &["info"], "daemon-stopped", "success"),
        DaemonEvent::PoliciesLoaded { .. } => {
            ("configuration", &["change"], "policies-loaded", "success")
        }
        DaemonEvent::PoliciesRejected { .. } => {
            ("configuration", &["change"], "policies-rejected", "failure")
        }
        DaemonEvent::AgreementEnded { .. } => {
            ("configuration", &["change"], "agreement-ended", "success")
        }
        DaemonEvent::DatabaseOld { .. } => {
            ("configuration", &["info"], "geo-database-old", "unknown")
        }
        DaemonEvent::Faults { .. } => ("host", &["info"], "decisions-failed", "failure"),
        DaemonEvent::EventsLost { .. } => ("host", &["info"], "events-lost", "failure"),
    };
    Headline {
        category,
        types,
        action,
        outcome,
    }
}

fn message(event: &DaemonEvent) -> String {
    match event {
        DaemonEvent::Started { generation } => {
            format!("enforcement started with generation {generation}")
        }
        DaemonEvent::Adopted { generation } => {
            format!("took over enforcement with generation {generation} in force")
        }
        DaemonEvent::Detached => "enforcement ended on request".into(),
        DaemonEvent::Stopped => "the daemon stops; enforcement goes on".into(),
        DaemonEvent::PoliciesLoaded {
            generation,
            policies,
        } => {
            format!("generation {generation} is in force, with {policies} policies")
        }
        DaemonEvent::PoliciesRejected {
            generation,
            diagnostics,
        } => format!(
            "new policies refused with {} findings; generation {generation} stays in force",
            diagnostics.len()
        ),
        DaemonEvent::AgreementEnded {
            provider, policy, ..
        } => format!("the agreement with {provider} ended: policy {policy} denies it from now on"),
        DaemonEvent::DatabaseOld {
            database,
            age_days,
            limit_days,
        } => format!(
            "geo database {database} is {age_days} days old, more than {limit_days}: \
             load a newer one"
        ),
        DaemonEvent::Faults { fault, count } => {
            format!("{count} decisions failed and were refused: {fault}")
        }
        DaemonEvent::EventsLost { cause, count } => format!("{count} events lost: {cause}"),
    }
}

fn own<'a>(event: &'a DaemonEvent, run: &'a str) -> OwnDaemon<'a> {
    let none = OwnDaemon {
        run,
        ..OwnDaemon::default()
    };
    match event {
        DaemonEvent::Started { generation }
        | DaemonEvent::Adopted { generation }
        | DaemonEvent::PoliciesRejected { generation, .. } => OwnDaemon {
            generation: Some(*generation),
            ..none
        },
        DaemonEvent::Detached | DaemonEvent::Stopped => none,
        DaemonEvent::PoliciesLoaded {
            generation,
            policies,
        } => OwnDaemon {
            generation: Some(*generation),
            policies: Some(*policies),
            ..none
        },
        DaemonEvent::AgreementEnded {
            provider,
            policy,
            reference,
            generation,
        } => OwnDaemon {
            generation: Some(*generation),
            provider: Some(Agreed {
                name: provider,
                policy,
                reference: reference.as_deref(),
            }),
            ..none
        },
        DaemonEvent::DatabaseOld {
            database,
            age_days,
            limit_days,
        } => {
            let (age_days, limit_days) = (*age_days, *limit_days);
            OwnDaemon {
                geo: Some(DatabaseAge {
                    database,
                    age_days,
                    limit_days,
                }),
                ..none
            }
        }
        DaemonEvent::Faults { fault, count } => OwnDaemon {
            fault: Some(fault),
            count: Some(*count),
            ..none
        },
        DaemonEvent::EventsLost { cause, count } => OwnDaemon {
            cause: Some(cause),
            count: Some(*count),
            ..none
        },
    }
}
