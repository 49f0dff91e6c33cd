//! The lower line: ring and flow counts to sinks.

use std::{io, os::fd::OwnedFd, path::Path, time::Duration};

use anyhow::Context as _;
use enforcer_common::abi::{FlowCount, FlowKey};
use hyper::body::Bytes;
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::broadcast,
};

use super::{context::Known, flows::FlowRecorder, live::Live, trial::Trial};
use crate::{
    events::{
        Aggregator, Clock, DaemonEvent, Enricher, Heartbeat, Observer, Offenders, Pipeline, ProcFs,
        Record, Sequence, SinkSpec, SinkTally, clock, pipeline::SinkState,
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
    offenders: Offenders,
    pipeline: Pipeline,
    flows: Option<FlowRecorder>,
    live: Live,
    trial: Option<Trial>,
    told: u64,
}

impl Reporter {
    /// One that tells `sinks`. In the directory `state` it keeps what they have not taken, and the
    /// number of the last record; without one, records are numbered from 1 and wait in memory.
    ///
    /// # Errors
    /// The ring cannot be read, or a sink or `state` cannot be used.
    pub fn new(
        enforcement: &mut Enforcement,
        mut known: Known,
        sinks: &[SinkSpec],
        state: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let mut observer = Observer::this_host();
        let sequence = match state {
            Some(state) => numbers(state)?,
            None => Sequence::of_run(&observer.run),
        };
        observer.stream = sequence.stream().to_owned();
        let held = enforcement.held_names()?;
        // A record without the name is better than none.
        known.ask_for_names(Box::new(move |holder| {
            held.of(holder, clock::boottime_ns()).unwrap_or_default()
        }));
        let pipeline = Pipeline::open(&observer, sinks, state, sequence)?;
        let enricher = Enricher::new(known, ProcFs::at(Path::new("/proc")));
        Ok(Self {
            ring: enforcement.events()?,
            aggregator: Aggregator::new(enricher, Clock::now(), IDLE),
            offenders: Offenders::default(),
            pipeline,
            flows: None,
            live: Live::new(&observer),
            trial: None,
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

    /// What counts refusals of canaries, if there are any.
    pub(super) fn trial(&mut self) -> &mut Option<Trial> {
        &mut self.trial
    }

    /// Every record from now on, as the sinks have it.
    #[must_use]
    pub fn watch(&self) -> broadcast::Receiver<Bytes> {
        self.live.watch()
    }

    /// Ends the answers of all who watch.
    pub fn end_watches(&mut self) {
        self.live.end();
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
        self.tell_news();
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

    /// Opens files anew after rotation, and tries again what failed.
    pub fn reopen(&mut self) {
        self.pipeline.reopen();
    }

    /// Tells that the daemon lives, what it has counted, and how the sinks do; has the disk keep what
    /// waits.
    ///
    /// # Errors
    /// The counters of the kernel cannot be read.
    pub fn beat(&mut self, enforcement: &Enforcement) -> Result<(), KernelError> {
        let counters = enforcement.counters()?;
        let heartbeat = Heartbeat {
            generation: enforcement
                .in_force()?
                .map_or(0, |(generation, _)| generation),
            workloads: enforcement.tags()?.len() as u64,
            lost: counters.losses().collect(),
            faults: counters.faults().collect(),
            sinks: self
                .pipeline
                .status()
                .map(|sink| SinkTally {
                    sink: sink.sink,
                    delivered: sink.delivered,
                    waiting: sink.waiting,
                    lost: sink.lost,
                })
                .collect(),
        };
        self.tell(DaemonEvent::Heartbeat(heartbeat));
        self.pipeline.sync();
        Ok(())
    }

    /// Tells operators and the other sinks of one that began to fail, or recovered.
    fn tell_news(&mut self) {
        for news in self.pipeline.news() {
            let event = match news.state {
                SinkState::Failing => {
                    let error = news.error.unwrap_or_default();
                    eprintln!("enforcer: event sink {} fails: {error}", news.sink);
                    DaemonEvent::SinkFailing {
                        sink: news.sink,
                        error,
                    }
                }
                SinkState::Fine => {
                    eprintln!("enforcer: event sink {} takes events again", news.sink);
                    DaemonEvent::SinkRecovered { sink: news.sink }
                }
            };
            self.tell(event);
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
        if let (Record::Violation(violation), Some(trial)) = (record, &mut self.trial) {
            trial.refused(violation);
        }
        self.pipeline.push(record);
        let sequence = self.pipeline.sequence();
        self.live.tell(record, sequence);
        if let Record::Violation(violation) = record
            && let Some(finding) = self.offenders.note(violation, sequence)
        {
            self.push(&Record::Finding(finding));
        }
    }

    fn flush(&mut self) {
        self.pipeline.flush();
    }
}

/// The numbers of this boot, kept in `state`.
fn numbers(state: &Path) -> anyhow::Result<Sequence> {
    let open = || -> io::Result<Sequence> {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
        std::fs::create_dir_all(state)?;
        Sequence::kept(&state.join("sequence"), boot.trim())
    };
    open().with_context(|| format!("keep state in {}", state.display()))
}
