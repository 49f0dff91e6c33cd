use std::borrow::Cow;

use jiff::Timestamp;

use super::{Signature, severity, write_version};
use crate::events::{
    encode::{json::Object, time::Times},
    record::{DaemonEvent, Heartbeat, IsolationEvent, IsolationStep},
};

/// What the schema has words for.
pub(super) struct Headline {
    category: &'static str,
    types: &'static [&'static str],
    pub(super) action: &'static str,
    outcome: &'static str,
}

pub(super) fn write(
    line: &mut Object<'_>,
    at: Timestamp,
    event: &DaemonEvent,
    sequence: u64,
    signature: &Signature,
    times: &mut Times,
) {
    let headline = headline(event);
    line.plain("@timestamp", &times.text(at));
    write_version(line);
    line.object("event", |object| {
        object.text("kind", "event");
        object.texts("category", [headline.category]);
        object.texts("type", headline.types.iter().copied());
        object.text("action", headline.action);
        if let DaemonEvent::Isolation(isolation) = event {
            object.text("reason", &isolation.reason);
        }
        object.text("outcome", headline.outcome);
        object.number("sequence", sequence);
        object.number("severity", severity(event.severity()));
        object.text("dataset", "enforcer.daemon");
        object.text("module", "enforcer");
    });
    line.text("message", &message(event));
    if let Some(text) = error(event) {
        line.object("error", |error| error.text("message", &text));
    }
    line.fields(&signature.fields);
    line.object("enforcer", |own| {
        write_own(own, event);
        own.fields(&signature.run);
    });
}

fn error(event: &DaemonEvent) -> Option<Cow<'_, str>> {
    if let DaemonEvent::PoliciesRejected { diagnostics, .. } = event {
        return Some(diagnostics.join("\n").into());
    }
    if let DaemonEvent::SinkFailing { error, .. } | DaemonEvent::SourceFailing { error, .. } = event
    {
        return Some(error.into());
    }
    None
}

pub(super) fn headline(event: &DaemonEvent) -> Headline {
    let (category, types, action, outcome): (_, &'static [_], _, _) = match event {
        DaemonEvent::Started { .. } => ("host", &["start"], "enforcement-started", "success"),
        DaemonEvent::Adopted { .. } => ("host", &["start"], "enforcement-adopted", "success"),
        DaemonEvent::Isolation(event) => {
            ("configuration", &["change"], event.step.action(), "success")
        }
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
        DaemonEvent::Heartbeat(_) => ("host", &["info"], "heartbeat", "success"),
        DaemonEvent::SinkFailing { .. } => ("host", &["info"], "sink-failing", "failure"),
        DaemonEvent::SinkRecovered { .. } => ("host", &["info"], "sink-recovered", "success"),
        DaemonEvent::CoverageLost { .. } => ("host", &["info"], "coverage-lost", "failure"),
        DaemonEvent::CoverageRestored { .. } => ("host", &["info"], "coverage-restored", "success"),
        DaemonEvent::SourceFailing { .. } => ("host", &["info"], "source-failing", "failure"),
        DaemonEvent::SourceRecovered { .. } => ("host", &["info"], "source-recovered", "success"),
        DaemonEvent::PodUnresolved { .. } => ("host", &["info"], "pod-unresolved", "failure"),
    };
    Headline {
        category,
        types,
        action,
        outcome,
    }
}

pub(in crate::events::encode) fn message(event: &DaemonEvent) -> String {
    match event {
        DaemonEvent::Started { generation } => {
            format!("enforcement started with generation {generation}")
        }
        DaemonEvent::Adopted { generation } => {
            format!("took over enforcement with generation {generation} in force")
        }
        DaemonEvent::Isolation(event) => {
            let IsolationEvent {
                step,
                workload,
                reason,
                by,
                until,
            } = event;
            let by = by
                .as_deref()
                .map(|by| format!(" by {by}"))
                .unwrap_or_default();
            match step {
                IsolationStep::Begun => {
                    format!("{workload} is isolated{by} until {until}: {reason}")
                }
                IsolationStep::Released => format!("the isolation of {workload} was ended{by}"),
                IsolationStep::Expired => format!("the isolation of {workload} is over"),
            }
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
        DaemonEvent::Heartbeat(beat) => format!(
            "generation {} is in force for {} workloads; {} events lost",
            beat.generation,
            beat.workloads,
            beat.lost.iter().map(|(_, count)| count).sum::<u64>()
                + beat.sinks.iter().map(|sink| sink.lost).sum::<u64>()
        ),
        DaemonEvent::SinkFailing { sink, error } => {
            format!("event sink {sink} does not take records, which wait: {error}")
        }
        DaemonEvent::SinkRecovered { sink } => format!("event sink {sink} takes records again"),
        DaemonEvent::CoverageLost { workload, reason } => {
            format!("not all that {workload} sends is judged: {reason}")
        }
        DaemonEvent::CoverageRestored { workload } => {
            format!("all that {workload} sends is judged again")
        }
        DaemonEvent::SourceFailing { source, error } => {
            format!("{source} does not tell of workloads, and what is known stays: {error}")
        }
        DaemonEvent::SourceRecovered { source } => format!("{source} tells of workloads again"),
        DaemonEvent::PodUnresolved {
            pod,
            waited_seconds,
            stance,
            ..
        } => format!("nobody told of pod {pod} in {waited_seconds} seconds: {stance} from now on"),
    }
}

fn write_own(own: &mut Object<'_>, event: &DaemonEvent) {
    match event {
        DaemonEvent::Started { generation }
        | DaemonEvent::Adopted { generation }
        | DaemonEvent::PoliciesRejected { generation, .. } => {
            own.number("generation", *generation);
        }
        DaemonEvent::Isolation(isolation) => own.text("workload", &isolation.workload),
        DaemonEvent::Detached | DaemonEvent::Stopped => {}
        DaemonEvent::PoliciesLoaded {
            generation,
            policies,
        } => {
            own.number("generation", *generation);
            own.number("policies", *policies);
        }
        DaemonEvent::AgreementEnded {
            provider,
            policy,
            reference,
            generation,
        } => {
            own.number("generation", *generation);
            own.object("provider", |agreed| {
                agreed.text("name", provider);
                agreed.text("policy", policy);
                agreed.maybe("reference", reference.as_deref());
            });
        }
        DaemonEvent::DatabaseOld {
            database,
            age_days,
            limit_days,
        } => own.object("geo", |geo| {
            geo.text("database", database);
            geo.number("age_days", *age_days);
            geo.number("limit_days", *limit_days);
        }),
        DaemonEvent::Faults { fault, count } => {
            own.text("fault", fault);
            own.number("count", *count);
        }
        DaemonEvent::EventsLost { cause, count } => {
            own.text("cause", cause);
            own.number("count", *count);
        }
        DaemonEvent::Heartbeat(beat) => write_heartbeat(own, beat),
        DaemonEvent::SinkFailing { sink, .. } | DaemonEvent::SinkRecovered { sink } => {
            own.text("sink", sink);
        }
        DaemonEvent::CoverageLost { workload, .. } | DaemonEvent::CoverageRestored { workload } => {
            own.text("workload", workload);
        }
        DaemonEvent::SourceFailing { source, .. } | DaemonEvent::SourceRecovered { source } => {
            own.text("source", source);
        }
        DaemonEvent::PodUnresolved {
            pod,
            cgroup,
            stance,
            ..
        } => {
            own.text("pod_uid", pod);
            own.text("cgroup", cgroup);
            own.text("stance", stance);
        }
    }
}

fn write_heartbeat(own: &mut Object<'_>, beat: &Heartbeat) {
    own.number("generation", beat.generation);
    own.number("workloads", beat.workloads);
    let counts = |object: &mut Object<'_>, counts: &[(&'static str, u64)]| {
        for (name, count) in counts {
            object.number(name, *count);
        }
    };
    own.object("events_lost", |lost| counts(lost, &beat.lost));
    own.object("faults", |faults| counts(faults, &beat.faults));
    own.objects("sinks", &beat.sinks, |object, sink| {
        object.text("name", &sink.sink);
        object.number("delivered", sink.delivered);
        object.number("waiting", sink.waiting);
        object.number("lost", sink.lost);
    });
}
