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
/// cgroupfs reports directories that processes make and remove, and `cgroup.events` when a cgroup gets
/// its first process or loses its last (kernel/cgroup/cgroup.c, `cgroup_file_notify`). A cgroup made before its parent was
/// watched is found by looking again after the watch is set.
#[derive(Debug)]
pub struct Watch {
    queue: OwnedFd,
    watched: HashMap<PathBuf, i32>,
    also: WatchFlags,
}

impl Watch {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// No more watches are permitted (`fs.inotify.max_user_instances`).
    pub fn of_files() -> io::Result<Self> {
        Self::new(WatchFlags::empty())
    }

    /// The same, and reports when a cgroup gets its first process or loses its last.
    ///
    /// # Errors
    /// As [`Watch::of_files`].
    pub fn of_cgroups() -> io::Result<Self> {
        Self::new(WatchFlags::MODIFY)
    }

    fn new(also: WatchFlags) -> io::Result<Self> {
        let queue = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        Ok(Self {
            queue,
            watched: HashMap::new(),
            also,
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
            | WatchFlags::ONLYDIR
            | self.also;
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
