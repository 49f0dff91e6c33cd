//! What the daemon tells of itself, one of each kind.

use crate::events::record::{DaemonEvent, Heartbeat, IsolationEvent, IsolationStep, SinkTally};

pub(super) fn events() -> Vec<DaemonEvent> {
    vec![
        DaemonEvent::Started { generation: 1 },
        DaemonEvent::Adopted { generation: 3 },
        DaemonEvent::PoliciesLoaded {
            generation: 4,
            policies: 2,
        },
        DaemonEvent::PoliciesRejected {
            generation: 4,
            diagnostics: vec![
                "policies/llm.yaml:9:7: region `eeea` is not known: did you mean `eea`?".into(),
                "policies/llm.yaml:12:5: two rules are named `crm`: rename one".into(),
            ],
        },
        DaemonEvent::AgreementEnded {
            provider: "own-models".into(),
            policy: "ai-providers".into(),
            reference: Some("IC-7".into()),
            generation: 4,
        },
        DaemonEvent::DatabaseOld {
            database: "built-in".into(),
            age_days: 92,
            limit_days: 45,
        },
        DaemonEvent::Faults {
            fault: "no_page",
            count: 3,
        },
        DaemonEvent::EventsLost {
            cause: "ring_full",
            count: 17,
        },
        DaemonEvent::Isolation(IsolationEvent {
            step: IsolationStep::Begun,
            workload: "/llm/a".into(),
            reason: "beacon to an unknown host".into(),
            by: Some("anna (uid 1000)".into()),
            until: "2026-11-22T12:00:00Z".into(),
        }),
        DaemonEvent::Isolation(IsolationEvent {
            step: IsolationStep::Expired,
            workload: "/llm/a".into(),
            reason: "beacon to an unknown host".into(),
            by: None,
            until: "2026-11-22T12:00:00Z".into(),
        }),
        DaemonEvent::Stopped,
        DaemonEvent::Detached,
        DaemonEvent::SinkFailing {
            sink: "syslog+tls://siem:6514".into(),
            error: "connect: Connection refused (os error 111)".into(),
        },
        DaemonEvent::SinkRecovered {
            sink: "syslog+tls://siem:6514".into(),
        },
        DaemonEvent::CoverageLost {
            workload: "llm/vllm-0".into(),
            reason: "its processes use the interfaces of the host".into(),
        },
        DaemonEvent::CoverageRestored {
            workload: "llm/vllm-0".into(),
        },
        DaemonEvent::SourceFailing {
            source: "container runtime".into(),
            error: "connect to the container runtime at /run/crio/crio.sock".into(),
        },
        DaemonEvent::SourceRecovered {
            source: "container runtime".into(),
        },
        DaemonEvent::PodUnresolved {
            pod: "6a2b8f8e-1c3d-4e5f-8a9b-0c1d2e3f4a5b".into(),
            cgroup: "/kubepods/pod6a2b8f8e-1c3d-4e5f-8a9b-0c1d2e3f4a5b".into(),
            waited_seconds: 30,
            stance: "deny",
        },
        DaemonEvent::Heartbeat(Heartbeat {
            generation: 4,
            workloads: 12,
            lost: vec![("ring_full", 17)],
            faults: vec![("no_page", 3)],
            sinks: vec![SinkTally {
                sink: "syslog+tls://siem:6514".into(),
                delivered: 4210,
                waiting: 3,
                lost: 0,
            }],
        }),
    ]
}
