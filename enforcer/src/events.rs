//! What was refused, told to people and machines: kernel event to record to encoded line to sink.
//!
//! ```text
//! sinks ◀─ pipeline ◀─ encode ◀─ aggregate ◀─ enrich ◀─ (kernel ring, flow table)
//! ```
//!
//! * [`enrich`] completes what the kernel knew. It never fails and never waits: what cannot be
//!   learnt at once is left out.
//! * [`aggregate`] turns first refusals and polled counters into [`Violation`]s whose counts add up
//!   to the kernel's.
//! * [`offenders`] finds workloads that are refused again and again.
//! * [`encode`] writes records in the vocabulary of a consumer. [`record`] knows none of them.
//! * [`pipeline`] numbers records and gives each sink a thread and a [`queue`], in which records wait
//!   until the sink has taken them, or are counted as lost.
//!
//! Nothing here imports policies, images or the kernel: what they know arrives through [`Context`].

pub mod aggregate;
pub mod batch;
pub mod clock;
pub mod context;
pub mod encode;
pub mod enrich;
pub mod offenders;
pub mod pipeline;
pub mod queue;
pub mod record;
pub mod redact;
pub mod sequence;
pub mod sinks;

#[cfg(any(test, feature = "samples"))]
pub mod samples;

pub use aggregate::{Aggregator, Sweep};
pub use clock::Clock;
pub use context::{
    Context, DatabaseRef, GeoAgreement, Mode, NamesInfo, PlaceInfo, RuleInfo, WorkloadInfo,
    WorkloadKind,
};
pub use enrich::{Enricher, process::ProcFs};
pub use offenders::Offenders;
pub use pipeline::{Pipeline, SinkStatus};
pub use record::{
    DaemonEvent, Facts, Finding, Heartbeat, IsolationEvent, IsolationStep, Observer, Outcome,
    Record, Severity, SinkTally, Violation,
};
pub use sequence::Sequence;
pub use sinks::{Sink, SinkError, SinkSpec};
