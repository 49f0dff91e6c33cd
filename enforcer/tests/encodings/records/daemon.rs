use enforcer::events::{DaemonEvent, Heartbeat, IsolationEvent, IsolationStep, SinkTally};
use enforcer_common::verdict::Fault;
use proptest::{
    collection::vec,
    option,
    prelude::{Strategy, any, prop_oneof},
    sample::select,
};

use super::{hostile, moment, name, number};

/// What happens to the daemon itself.
pub(super) fn event() -> impl Strategy<Value = DaemonEvent> {
    let plain = select(vec![DaemonEvent::Detached, DaemonEvent::Stopped]);
    let generation = number().prop_flat_map(|generation| {
        select(vec![
            DaemonEvent::Started { generation },
            DaemonEvent::Adopted { generation },
            DaemonEvent::PoliciesLoaded {
                generation,
                policies: 7,
            },
        ])
    });
    let rejected = (number(), vec(hostile(), 0..3)).prop_map(|(generation, diagnostics)| {
        DaemonEvent::PoliciesRejected {
            generation,
            diagnostics,
        }
    });
    let sink =
        (hostile(), hostile()).prop_map(|(sink, error)| DaemonEvent::SinkFailing { sink, error });
    prop_oneof![
        plain,
        generation,
        rejected,
        sink,
        hostile().prop_map(|sink| DaemonEvent::SinkRecovered { sink }),
        counted(),
        isolation(),
        agreement_ended(),
        (name(), any::<u32>(), any::<u32>()).prop_map(|(database, age_days, limit_days)| {
            DaemonEvent::DatabaseOld {
                database,
                age_days,
                limit_days,
            }
        }),
        heartbeat(),
        coverage(),
        source(),
        (hostile(), name(), any::<u64>()).prop_map(|(pod, cgroup, waited)| {
            DaemonEvent::PodUnresolved {
                pod,
                cgroup,
                waited_seconds: waited >> 32,
                stance: "deny",
            }
        }),
    ]
}

fn coverage() -> impl Strategy<Value = DaemonEvent> {
    (name(), option::of(hostile())).prop_map(|(workload, reason)| match reason {
        Some(reason) => DaemonEvent::CoverageLost { workload, reason },
        None => DaemonEvent::CoverageRestored { workload },
    })
}

fn source() -> impl Strategy<Value = DaemonEvent> {
    (hostile(), option::of(hostile())).prop_map(|(source, error)| match error {
        Some(error) => DaemonEvent::SourceFailing { source, error },
        None => DaemonEvent::SourceRecovered { source },
    })
}

fn counted() -> impl Strategy<Value = DaemonEvent> {
    (number(), select(&Fault::ALL[..]), any::<bool>()).prop_map(|(count, (_, name), fault)| {
        if fault {
            DaemonEvent::Faults { fault: name, count }
        } else {
            DaemonEvent::EventsLost {
                cause: "ring_full",
                count,
            }
        }
    })
}

fn isolation() -> impl Strategy<Value = DaemonEvent> {
    let step = select(vec![
        IsolationStep::Begun,
        IsolationStep::Released,
        IsolationStep::Expired,
    ]);
    (step, name(), name(), option::of(name()), moment()).prop_map(
        |(step, workload, reason, by, until)| {
            DaemonEvent::Isolation(IsolationEvent {
                step,
                workload,
                reason,
                by,
                until: until.to_string().into(),
            })
        },
    )
}

fn agreement_ended() -> impl Strategy<Value = DaemonEvent> {
    (name(), name(), option::of(name()), number()).prop_map(
        |(provider, policy, reference, generation)| DaemonEvent::AgreementEnded {
            provider,
            policy,
            reference,
            generation,
        },
    )
}

fn heartbeat() -> impl Strategy<Value = DaemonEvent> {
    let sink =
        (hostile(), number(), number(), number()).prop_map(|(sink, delivered, waiting, lost)| {
            SinkTally {
                sink,
                delivered,
                waiting,
                lost,
            }
        });
    // Their sums are told, too.
    let count = 0..1_u64 << 60;
    (number(), number(), count.clone(), count, vec(sink, 0..3)).prop_map(
        |(generation, workloads, lost, failed, sinks)| {
            DaemonEvent::Heartbeat(Heartbeat {
                generation,
                workloads,
                lost: vec![("ring_full", lost)],
                faults: vec![("no_page", failed)],
                sinks,
            })
        },
    )
}
