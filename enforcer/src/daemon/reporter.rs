//! The lower line: ring and flow counts to sinks.

use std::{io, os::fd::OwnedFd, path::Path, time::Duration};

use enforcer_common::abi::{FlowCount, FlowKey};
use hyper::body::Bytes;
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::broadcast,
};

use super::{context::Known, flows::FlowRecorder, live::Live};
use crate::{
    events::{
        Aggregator, Clock, DaemonEvent, Enricher, Observer, Pipeline, ProcFs, Record, SinkError,
        SinkSpec, clock, pipeline::BACKLOG_BYTES,
    },
    kernel::{Enforcement, EventRing, KernelError},
};

/// A flow without refusals for this long is forgotten by the kernel's table.
const IDLE: Duration = Duration::from_secs(60);

/// Wakes a task when the ring has an event.
pub struct RingBell(AsyncFd<OwnedFd>);

impl RingBell {
    /// Must be called inside a runtime.
    ///
    /// # Errors
    /// The descriptor cannot be watched.
    pub fn new(reporter: &Reporter) -> io::Result<Self> {
        Self::on(reporter.ring.readiness()?)
    }

    /// The same for any ring.
    pub(super) fn on(readiness: OwnedFd) -> io::Result<Self> {
        // SAFETY: `OwnedFd` is open and is neither replaced nor closed while `AsyncFd` has it.
        Ok(Self(unsafe {
            AsyncFd::register_with_interest(readiness, Interest::READABLE)
        }?))
    }

    /// Waits until there may be an event. Safe to drop at any time.
    ///
    /// # Errors
    /// The runtime shuts down.
    pub async fn rung(&self) -> io::Result<()> {
        self.0.readable().await?.clear_ready();
        Ok(())
    }
}

/// Reads what the kernel reports and tells the sinks.
pub struct Reporter {
    ring: EventRing,
    aggregator: Aggregator<Enricher<Known>>,
    pipeline: Pipeline,
    flows: Option<FlowRecorder>,
    live: Live,
    told: u64,
}

impl Reporter {
    /// One that tells `sinks`.
    ///
    /// # Errors
    /// The ring cannot be read.
    pub fn new(
        enforcement: &mut Enforcement,
        known: Known,
        sinks: &[SinkSpec],
    ) -> anyhow::Result<Self> {
        let sinks = sinks
            .iter()
            .map(SinkSpec::open)
            .collect::<Result<_, SinkError>>()?;
        let observer = Observer::this_host();
        let enricher = Enricher::new(known, ProcFs::at(Path::new("/proc")));
        Ok(Self {
            ring: enforcement.events()?,
            aggregator: Aggregator::new(enricher, Clock::now(), IDLE),
            pipeline: Pipeline::new(observer.clone(), sinks, BACKLOG_BYTES),
            flows: None,
            live: Live::new(observer),
            told: 0,
        })
    }

    /// Records flows from now on.
    pub fn record_flows(&mut self, recorder: FlowRecorder) {
        self.flows = Some(recorder);
    }

    /// The recorded flows.
    #[must_use]
    pub fn flows(&self) -> Option<&FlowRecorder> {
        self.flows.as_ref()
    }

    /// Every record from now on, as the sinks have it.
    #[must_use]
    pub fn watch(&self) -> broadcast::Receiver<Bytes> {
        self.live.watch()
    }

    /// Writes recorded flows where the next daemon finds them.
    pub fn save_flows(&mut self) {
        if let Some(flows) = &mut self.flows {
            flows.save();
        }
    }

    /// What the reporter knows of rules, workloads and places.
    pub fn known(&mut self) -> &mut Known {
        self.aggregator.describe().context_mut()
    }

    /// Tells what the ring holds.
    pub fn drain(&mut self) {
        while let Some(event) = self.ring.next() {
            let violation = self.aggregator.first(&event);
            self.push(&Record::Violation(violation));
        }
        self.flush();
    }

    /// Tells what grew in the flow table, and removes what is idle.
    ///
    /// # Errors
    /// The flow table cannot be read.
    pub fn sweep(&mut self, enforcement: &mut Enforcement) -> Result<(), KernelError> {
        self.aggregator.set_clock(Clock::now());
        self.drain();
        let generation = enforcement
            .in_force()?
            .map_or(0, |(generation, _)| generation);
        let flows = enforcement.flows().all()?;
        let sweep = self
            .aggregator
            .sweep(flows, clock::boottime_ns(), generation);
        for violation in sweep.violations {
            self.push(&Record::Violation(violation));
        }
        for key in sweep.idle {
            self.retire(enforcement, &key, generation)?;
        }
        if let Some(flows) = &mut self.flows {
            let describe = self.aggregator.describe();
            flows.take(enforcement.recorded(), describe, Clock::now(), generation)?;
        }
        self.flush();
        Ok(())
    }

    /// Tells everything of the image that is about to go: its rule numbers mean nothing in the next.
    ///
    /// # Errors
    /// The flow table cannot be read.
    pub fn close_image(
        &mut self,
        enforcement: &mut Enforcement,
        generation: u64,
    ) -> Result<(), KernelError> {
        let flows: Vec<(FlowKey, FlowCount)> = enforcement.flows().all()?;
        for (key, _) in flows {
            self.retire(enforcement, &key, generation)?;
        }
        self.flush();
        Ok(())
    }

    fn retire(
        &mut self,
        enforcement: &mut Enforcement,
        key: &FlowKey,
        generation: u64,
    ) -> Result<(), KernelError> {
        if let Some(last) = enforcement.flows().take(key)?
            && let Some(violation) = self.aggregator.retire(key, &last, generation)
        {
            self.push(&Record::Violation(violation));
        }
        Ok(())
    }

    /// Tells what happened to the daemon itself.
    pub fn tell(&mut self, event: DaemonEvent) {
        let now = Clock::now().wall(clock::boottime_ns());
        self.push(&Record::Daemon(now, event));
        self.flush();
    }

    /// Opens files anew after rotation.
    pub fn reopen(&mut self) {
        if let Err(errors) = self.pipeline.reopen() {
            complain(&errors);
        }
    }

    /// Records so far.
    #[must_use]
    pub fn told(&self) -> u64 {
        self.told
    }

    /// The last stage, for its status.
    #[must_use]
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    fn push(&mut self, record: &Record) {
        self.told += 1;
        if let (Record::Violation(violation), Some(flows)) = (record, &mut self.flows) {
            flows.refused(violation);
        }
        self.pipeline.push(record);
        self.live.tell(record, self.pipeline.sequence());
    }

    fn flush(&mut self) {
        if let Err(errors) = self.pipeline.flush() {
            complain(&errors);
        }
    }
}

/// The lines are kept and tried again; the operator should know all the same.
fn complain(errors: &[SinkError]) {
    for error in errors {
        eprintln!("enforcer: {:#}", anyhow::anyhow!("{error}"));
    }
}
