//! The lower line: ring and flow counts to sinks.

use std::{io, os::fd::OwnedFd, path::Path, time::Duration};

use enforcer_common::abi::{FlowCount, FlowKey};
use tokio::io::{Interest, unix::AsyncFd};

use super::context::Known;
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
        let enricher = Enricher::new(known, ProcFs::at(Path::new("/proc")));
        Ok(Self {
            ring: enforcement.events()?,
            aggregator: Aggregator::new(enricher, Clock::now(), IDLE),
            pipeline: Pipeline::new(Observer::this_host(), sinks, BACKLOG_BYTES),
            told: 0,
        })
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
        self.pipeline.push(record);
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
