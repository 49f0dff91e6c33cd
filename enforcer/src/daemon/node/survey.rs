//! Looking at interfaces, on a thread of its own.
//!
//! The kernel changes the interfaces of all network namespaces one after the other, and pods that start
//! keep it busy: who lists interfaces or attaches to them may wait for a quarter of a second. Tags do not
//! wait with it.

use std::{
    io,
    sync::{Arc, mpsc},
    thread,
    time::Instant,
};

use anyhow::{Context as _, anyhow};
use enforcer_common::abi::CgroupId;
use tokio::sync::Notify;

use super::{
    Node,
    devices::{Coverage, Devices},
    inhabitants::{Member, judged},
};
use crate::{
    control::DeviceCoverage, daemon::interfaces, events::DaemonEvent, kernel::Interfaces,
    workloads::Extent,
};

/// Only a fault of its own ends it before the daemon.
const ENDED: &str = "the thread that looks at interfaces has ended: restart the daemon";

/// What is to be looked at.
struct Wish {
    judged: Vec<Member>,
    extent: Extent,
    interfaces_changed: bool,
    trust: bool,
}

/// What a look found.
struct Found {
    coverage: anyhow::Result<Coverage>,
    /// By which answers may come, where that was asked.
    trusted: Option<io::Result<Interfaces>>,
}

/// The thread, and what it is to do next.
pub(super) struct Surveyor {
    wishes: mpsc::Sender<Wish>,
    found: mpsc::Receiver<Found>,
    returned: Arc<Notify>,
    at_work: bool,
    /// What to look at when the thread is back.
    next: Option<Extent>,
    /// They changed since they were listed.
    interfaces_changed: bool,
    /// They changed since anybody asked whether answers that come by them are to be believed.
    untrusted: bool,
    trust: bool,
}

impl Surveyor {
    pub(super) fn start(mut devices: Devices) -> io::Result<Self> {
        let (wishes, wished) = mpsc::channel::<Wish>();
        let (finding, found) = mpsc::channel();
        let returned = Arc::new(Notify::new());
        let back = Arc::clone(&returned);
        let work = move || {
            for wish in wished {
                let Wish {
                    judged,
                    extent,
                    interfaces_changed,
                    trust,
                } = wish;
                let coverage = devices.cover(&judged, &extent, interfaces_changed);
                let trusted = trust.then(Interfaces::without_tunnels_of_processes);
                if finding.send(Found { coverage, trusted }).is_err() {
                    return;
                }
                back.notify_one();
            }
        };
        thread::Builder::new()
            .name("interfaces".to_owned())
            .spawn(work)?;
        Ok(Self {
            wishes,
            found,
            returned,
            at_work: false,
            next: None,
            interfaces_changed: false,
            untrusted: false,
            trust: false,
        })
    }
}

impl Node {
    /// Has the interfaces of the workloads of an extent looked at, soon: what is judged and lacks the
    /// programs gets them, and what is nobody's any more loses them.
    pub fn survey(&mut self, extent: Extent) {
        let surveyor = &mut self.surveyor;
        match &mut surveyor.next {
            Some(next) => next.add(extent),
            next => *next = Some(extent),
        }
        if surveyor.at_work {
            return;
        }
        let Some(extent) = surveyor.next.take() else {
            return;
        };
        let wish = Wish {
            judged: self.tags.iter().filter_map(judged).collect(),
            extent,
            interfaces_changed: std::mem::take(&mut surveyor.interfaces_changed),
            trust: std::mem::take(&mut surveyor.trust),
        };
        // Who waits for the answer of a thread that has ended is told so.
        let _ = surveyor.wishes.send(wish);
        surveyor.at_work = true;
    }

    /// Interfaces are listed anew with the next look.
    pub fn interfaces_changed(&mut self) {
        self.surveyor.interfaces_changed = true;
        self.surveyor.untrusted = true;
    }

    /// Has it asked, if interfaces changed, by which of them answers are to be believed: each is asked
    /// for its driver.
    pub fn trust_new_interfaces(&mut self) {
        if std::mem::take(&mut self.surveyor.untrusted) {
            self.surveyor.trust = true;
            self.survey(Extent::nothing());
        }
    }

    /// Believes the answers that come by the interfaces that there are now.
    pub(super) fn trust_interfaces(&mut self) {
        // Workloads may be there already, and have made devices of their own.
        let devices = Interfaces::without_tunnels_of_processes();
        interfaces::trust(&mut self.enforcement, devices);
    }

    /// Rings when a look is over.
    #[must_use]
    pub fn surveyed(&self) -> Arc<Notify> {
        Arc::clone(&self.surveyor.returned)
    }

    /// Takes what was found, if a look is over, and begins the next one, if one is wanted.
    ///
    /// # Errors
    /// The kernel refused, or the thread has ended. What is attached stays.
    pub fn take_survey(&mut self) -> anyhow::Result<()> {
        match self.surveyor.found.try_recv() {
            Ok(found) => self.learn_survey(found),
            Err(mpsc::TryRecvError::Empty) => Ok(()),
            Err(mpsc::TryRecvError::Disconnected) => Err(anyhow!(ENDED)),
        }
    }

    /// As [`survey`](Self::survey), and waits for it.
    ///
    /// # Errors
    /// As [`take_survey`](Self::take_survey).
    pub fn survey_now(&mut self, extent: Extent) -> anyhow::Result<()> {
        self.survey(extent);
        self.finish_survey()
    }

    /// Waits for the looks that are wanted so far.
    ///
    /// # Errors
    /// As [`take_survey`](Self::take_survey), for the last of them.
    pub fn finish_survey(&mut self) -> anyhow::Result<()> {
        let mut outcome = Ok(());
        while self.surveyor.at_work {
            let found = self.surveyor.found.recv();
            outcome = self.learn_survey(found.context(ENDED)?);
        }
        outcome
    }

    fn learn_survey(&mut self, found: Found) -> anyhow::Result<()> {
        self.surveyor.at_work = false;
        if let Some(interfaces) = found.trusted {
            interfaces::trust(&mut self.enforcement, interfaces);
        }
        let learnt = found.coverage.map(|coverage| {
            self.coverage = coverage.of;
            for (cgroup, news) in self.gaps.see(coverage.gaps, Instant::now()) {
                self.tell_gap(cgroup, news);
            }
        });
        if let Some(extent) = self.surveyor.next.take() {
            self.survey(extent);
        }
        learnt
    }

    fn tell_gap(&mut self, cgroup: CgroupId, news: Option<String>) {
        let Some((_, assignment)) = self.tags.get(&cgroup) else {
            return;
        };
        let workload = self.workload_info(assignment).name;
        self.news.push(match news {
            Some(reason) => DaemonEvent::CoverageLost { workload, reason },
            None => DaemonEvent::CoverageRestored { workload },
        });
    }

    /// Whether all is to be looked at again soon.
    #[must_use]
    pub fn watches_gaps(&self) -> bool {
        self.gaps.is_watching()
    }

    /// How the interfaces of a workload are covered; `None` while none of its processes is known.
    #[must_use]
    pub fn device_coverage(&self, cgroup: &str) -> Option<&DeviceCoverage> {
        self.coverage.get(cgroup)
    }
}
