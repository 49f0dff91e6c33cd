//! Notices of change that wake a task.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use tokio::io::{Interest, unix::AsyncFd};

use crate::workloads::{Changes, Watch, interfaces::LinkNotices};

/// What collects notices of change behind a descriptor.
pub(super) trait Notices: AsFd {
    /// What is reported.
    type News;

    /// Takes what was reported so far, if anything was.
    fn take(&mut self) -> io::Result<Option<Self::News>>;
}

impl Notices for Watch {
    type News = Changes;

    fn take(&mut self) -> io::Result<Option<Changes>> {
        Watch::take(self)
    }
}

impl Notices for LinkNotices {
    type News = ();

    fn take(&mut self) -> io::Result<Option<()>> {
        Ok(LinkNotices::take(self)?.then_some(()))
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
    pub(super) async fn rung(&mut self) -> io::Result<N::News> {
        loop {
            let mut ready = self.readiness.readable().await?;
            let news = self.notices.take()?;
            ready.clear_ready();
            if let Some(news) = news {
                return Ok(news);
            }
        }
    }
}
