//! Notices of change in directories: cgroups that come and go, policies that are edited.

use std::{
    collections::{BTreeSet, HashMap},
    ffi::OsStr,
    io,
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
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
    watched: HashMap<i32, PathBuf>,
    flags: WatchFlags,
}

/// What was reported.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// What came or went in watched directories, and files that were written there.
    pub entries: BTreeSet<PathBuf>,
    /// Cgroups whose processes changed.
    pub within: BTreeSet<PathBuf>,
    /// Notices were lost: anything may have changed.
    pub lost: bool,
}

impl Changes {
    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.within.is_empty() && !self.lost
    }
}

impl Watch {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// No more watches are permitted (`fs.inotify.max_user_instances`).
    pub fn of_files() -> io::Result<Self> {
        let moved = WatchFlags::MOVED_FROM | WatchFlags::MOVED_TO;
        Self::new(moved | WatchFlags::CLOSE_WRITE)
    }

    /// Watches nothing yet. Reports cgroups that get their first process, lose their last, or are given
    /// one.
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
            flags: WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::ONLYDIR | also,
        })
    }

    /// Watches a directory too. One that does not exist is passed over; one that goes is not watched
    /// any more.
    ///
    /// # Errors
    /// No more watches are permitted (`fs.inotify.max_user_watches`).
    pub fn add(&mut self, directory: &Path) -> io::Result<()> {
        match inotify::add_watch(&self.queue, directory, self.flags) {
            Ok(number) => drop(self.watched.insert(number, directory.to_owned())),
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => {}
            Err(errno) => return Err(errno.into()),
        }
        Ok(())
    }

    /// Watches exactly these directories; what does not exist is passed over.
    ///
    /// # Errors
    /// No more watches are permitted (`fs.inotify.max_user_watches`).
    pub fn set<'a>(&mut self, directories: impl IntoIterator<Item = &'a Path>) -> io::Result<()> {
        let before = std::mem::take(&mut self.watched);
        for directory in directories {
            self.add(directory)?;
        }
        for number in before.into_keys() {
            // A directory that is gone has lost its watch already.
            if !self.watched.contains_key(&number)
                && let Err(rustix::io::Errno::BADF) = inotify::remove_watch(&self.queue, number)
            {
                return Err(rustix::io::Errno::BADF.into());
            }
        }
        Ok(())
    }

    /// Takes what was reported so far; `None` when that was nothing.
    ///
    /// # Errors
    /// The queue cannot be read.
    pub fn take(&mut self) -> io::Result<Option<Changes>> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&self.queue, &mut buffer);
        let mut changes = Changes::default();
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(rustix::io::Errno::AGAIN) => break,
                Err(errno) => return Err(errno.into()),
            };
            let flags = event.events();
            if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                changes.lost = true;
            } else if flags.contains(ReadFlags::IGNORED) {
                self.watched.remove(&event.wd());
            } else if let Some(directory) = self.watched.get(&event.wd()) {
                if flags.contains(ReadFlags::MODIFY) {
                    changes.within.insert(directory.clone());
                } else if let Some(name) = event.file_name() {
                    let name = OsStr::from_bytes(name.to_bytes());
                    changes.entries.insert(directory.join(name));
                }
            }
        }
        Ok((!changes.is_empty()).then_some(changes))
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.queue.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn names_what_changed_and_forgets_what_is_gone() {
        let root = tempfile::tempdir().expect("a directory");
        let (kept, gone) = (root.path().join("kept"), root.path().join("gone"));
        fs::create_dir(&gone).expect("a directory");
        let mut watch = Watch::of_cgroups().expect("a watch");
        for directory in [root.path(), &gone, &root.path().join("never")] {
            watch.add(directory).expect("watched");
        }
        assert_eq!(watch.take().expect("nothing"), None);

        fs::create_dir(&kept).expect("a directory");
        fs::write(gone.join("file"), "text").expect("a file");
        let changes = watch.take().expect("changes").expect("some");
        assert_eq!(changes.within, BTreeSet::from([gone.clone()]));
        assert_eq!(
            changes.entries,
            BTreeSet::from([kept.clone(), gone.join("file")])
        );

        fs::remove_dir_all(&gone).expect("removed");
        let changes = watch.take().expect("changes").expect("some");
        assert!(changes.entries.contains(&gone), "{changes:?}");
        assert_eq!(watch.watched.len(), 1);

        watch.set([kept.as_path()]).expect("watched");
        fs::create_dir(root.path().join("other")).expect("a directory");
        assert_eq!(watch.take().expect("nothing"), None);
        fs::create_dir(kept.join("inner")).expect("a directory");
        let changes = watch.take().expect("changes").expect("some");
        assert_eq!(changes.entries, BTreeSet::from([kept.join("inner")]));
    }
}
