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
//! * [`encode`] writes records in the vocabulary of a consumer. [`record`] knows none of them.
//! * [`pipeline`] numbers records and keeps every line until each sink has taken it, or counts it
//!   as lost.
//!
//! Nothing here imports policies, images or the kernel: what they know arrives through [`Context`].

pub mod aggregate;
pub mod clock;
pub mod context;
pub mod encode;
pub mod enrich;
pub mod pipeline;
pub mod record;
pub mod redact;
pub mod sinks;

#[cfg(test)]
mod samples;

pub use aggregate::{Aggregator, Sweep};
pub use clock::Clock;
pub use context::{
    Context, DatabaseRef, GeoAgreement, Mode, PlaceInfo, RuleInfo, WorkloadInfo, WorkloadKind,
};
pub use enrich::{Enricher, process::ProcFs};
pub use pipeline::{Pipeline, SinkStatus};
pub use record::{
    DaemonEvent, Facts, IsolationEvent, IsolationStep, Observer, Outcome, Record, Severity,
    Violation,
};
pub use sinks::{Sink, SinkError, SinkSpec};
