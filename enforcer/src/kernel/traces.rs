//! What the traced programs log.

use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
    sync::{Arc, Mutex, PoisonError},
};

use aya::programs::ProgramInfo;
use aya_log::EbpfLogger;
use enforcer_common::verdict::Trace;
use log::{Log, Metadata, Record};

use super::{error::KernelError, pins::PinDir};

/// Reader of the traced programs' log. Only one reader sees each trace, and what finds no room in
/// the log is not kept.
pub struct Traces {
    log: EbpfLogger<Arc<Collected>>,
    collected: Arc<Collected>,
}

impl Traces {
    /// The log of the programs pinned below `dir`.
    pub(super) fn open(dir: &PinDir) -> Result<Self, KernelError> {
        // All of them write to one log, which is found by any of them.
        let hook = "egress";
        let info =
            ProgramInfo::from_pin(dir.program(hook)).map_err(|source| KernelError::Program {
                program: hook,
                source: Box::new(source),
            })?;
        let collected = Arc::new(Collected::default());
        let log = EbpfLogger::init_from_id_with_logger(info.id(), Arc::clone(&collected))
            .map_err(KernelError::Traces)?;
        Ok(Self { log, collected })
    }

    /// Everything logged so far.
    pub fn take(&mut self) -> Vec<Trace> {
        self.log.flush();
        self.collected.take()
    }

    /// A descriptor of its own that becomes readable when there is a trace.
    ///
    /// # Errors
    /// The process has too many open files.
    pub fn readiness(&self) -> io::Result<OwnedFd> {
        self.log.as_fd().try_clone_to_owned()
    }
}

/// Where aya leaves the lines: five numbers each, see [`Trace::words`].
#[derive(Default)]
struct Collected(Mutex<Vec<Trace>>);

impl Collected {
    fn take(&self) -> Vec<Trace> {
        let mut traces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut traces)
    }
}

impl Log for Collected {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        if let Some(trace) = parse(&record.args().to_string()) {
            let mut traces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            traces.push(trace);
        }
    }

    fn flush(&self) {}
}

/// The programs are of this build, so each of their lines is a trace.
fn parse(line: &str) -> Option<Trace> {
    let mut words = [0; 5];
    let mut written = line.split(' ');
    for word in &mut words {
        *word = written.next()?.parse().ok()?;
    }
    Trace::from_words(words)
}

#[cfg(test)]
mod tests {
    use enforcer_common::{
        abi::{Addr, CgroupId, Hook, Port, Ports, Proto},
        verdict::{Decision, Flow, Reason, Verdict},
    };

    use super::*;

    #[test]
    fn lines_become_traces_and_are_taken_once() {
        let trace = Trace {
            flow: Flow {
                subject: CgroupId(7),
                dst: Addr::from_v4([192, 0, 2, 1]),
                proto: Proto::TCP,
                ports: Ports::is(Port(443)),
                hook: Hook::Connect,
            },
            decision: Decision::because(Verdict::Deny, Reason::Isolated),
        };
        let [a, b, c, d, e] = trace.words();
        let collected = Collected::default();
        for line in [format!("{a} {b} {c} {d} {e}"), "of something else".into()] {
            collected.log(&Record::builder().args(format_args!("{line}")).build());
        }
        assert_eq!(collected.take(), [trace]);
        assert_eq!(collected.take(), []);
    }
}
