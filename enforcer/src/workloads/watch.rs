//! Notices of change in directories: cgroups that come and go, policies that are edited.

use std::{
    collections::HashMap,
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};

/// Watched directories.
///
/// cgroupfs reports directories that processes make and remove; a cgroup made before its parent was
/// watched is found by looking again after the watch is set.
#[derive(Debug)]
pub struct Watch {
    queue: OwnedFd,
    watched: HashMap<PathBuf, i32>,
}

impl Watch {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// No more watches are permitted (`fs.inotify.max_user_instances`).
    pub fn new() -> io::Result<Self> {
        let queue = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        Ok(Self {
            queue,
            watched: HashMap::new(),
        })
    }

    /// Watches exactly these directories; what does not exist is passed over.
    ///
    /// # Errors
    /// No more watches are permitted (`fs.inotify.max_user_watches`).
    pub fn set<'a>(&mut self, directories: impl IntoIterator<Item = &'a Path>) -> io::Result<()> {
        let flags = WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::ONLYDIR;
        let mut wanted = HashMap::new();
        for directory in directories {
            match inotify::add_watch(&self.queue, directory, flags) {
                Ok(number) => {
                    wanted.insert(directory.to_owned(), number);
                }
                Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        for (directory, number) in &self.watched {
            // A directory that is gone has lost its watch already.
            if !wanted.contains_key(directory)
                && let Err(rustix::io::Errno::BADF) = inotify::remove_watch(&self.queue, *number)
            {
                return Err(rustix::io::Errno::BADF.into());
            }
        }
        self.watched = wanted;
        Ok(())
    }

    /// Takes what was reported so far; whether that was anything.
    ///
    /// # Errors
    /// The queue cannot be read.
    pub fn take(&mut self) -> io::Result<bool> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&self.queue, &mut buffer);
        let mut anything = false;
        loop {
            match reader.next() {
                // An overflow loses names, not the fact that something changed.
                Ok(event) => anything |= !event.events().contains(ReadFlags::IGNORED),
                Err(rustix::io::Errno::AGAIN) => return Ok(anything),
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.queue.as_fd()
    }
}
