//! Notices of change that wake a task.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use tokio::io::{Interest, unix::AsyncFd};

use crate::workloads::{Watch, interfaces::LinkNotices};

/// What collects notices of change behind a descriptor.
pub(super) trait Notices: AsFd {
    /// Takes what was reported so far; whether that was anything.
    fn take(&mut self) -> io::Result<bool>;
}

impl Notices for Watch {
    fn take(&mut self) -> io::Result<bool> {
        Watch::take(self)
    }
}

impl Notices for LinkNotices {
    fn take(&mut self) -> io::Result<bool> {
        LinkNotices::take(self)
    }
}

/// Wakes a task when something changes.
pub(super) struct Bell<N> {
    pub(super) notices: N,
    readiness: AsyncFd<OwnedFd>,
}

impl<N: Notices> Bell<N> {
    pub(super) fn new(notices: N) -> io::Result<Self> {
        let queue = notices.as_fd().try_clone_to_owned()?;
        // SAFETY: `OwnedFd` is open and is neither replaced nor closed while `AsyncFd` has it.
        let readiness = unsafe { AsyncFd::register_with_interest(queue, Interest::READABLE) }?;
        Ok(Self { notices, readiness })
    }

    /// Waits until something changed.
    pub(super) async fn rung(&mut self) -> io::Result<()> {
        loop {
            let mut ready = self.readiness.readable().await?;
            let anything = self.notices.take()?;
            ready.clear_ready();
            if anything {
                return Ok(());
            }
        }
    }
}
