//! The cgroup2 tree.

use std::{
    fs, io, iter,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Component, Path, PathBuf},
};

use enforcer_common::abi::CgroupId;

/// The mount of cgroup2, which is not at the same place on every machine
/// (`/sys/fs/cgroup/unified` on hybrid ones).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cgroup2 {
    mount: PathBuf,
}

/// Path of a cgroup below the mount, starting with `/`.
pub type CgroupPath = String;

/// What can go wrong with cgroups.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// There is none.
    #[error(
        "no cgroup2 file system is mounted: boot with systemd.unified_cgroup_hierarchy=1, or \
         `mount -t cgroup2 none /sys/fs/cgroup/unified`"
    )]
    NotMounted,
    /// A file operation failed.
    #[error("{operation} cgroup {path}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Not a cgroup of this mount.
    #[error("{path} is not below {mount}, where cgroup2 is mounted")]
    Elsewhere {
        /// What was given.
        path: PathBuf,
        /// The mount.
        mount: PathBuf,
    },
}

impl Cgroup2 {
    /// Finds the mount in `/proc/self/mountinfo`.
    ///
    /// # Errors
    /// There is none.
    pub fn find() -> Result<Self, CgroupError> {
        let path = "/proc/self/mountinfo";
        let text = fs::read_to_string(path).map_err(|source| CgroupError::Io {
            operation: "find",
            path: path.into(),
            source,
        })?;
        let mount = text
            .lines()
            .find_map(mount_of)
            .ok_or(CgroupError::NotMounted)?;
        Ok(Self { mount })
    }

    /// Where it is mounted.
    #[must_use]
    pub fn mount(&self) -> &Path {
        &self.mount
    }

    /// The directory of a cgroup.
    #[must_use]
    pub fn directory(&self, path: &str) -> PathBuf {
        self.mount.join(path.trim_start_matches('/'))
    }

    /// The path of a directory below the mount, which need not exist any more.
    #[must_use]
    pub fn path_below(&self, directory: &Path) -> Option<CgroupPath> {
        let relative = directory.strip_prefix(&self.mount).ok()?;
        Some(format!("/{}", relative.display()))
    }

    /// The path below the mount of a directory that people name in full or below the mount.
    ///
    /// # Errors
    /// It does not exist, or lies elsewhere.
    pub fn path_of(&self, given: &Path) -> Result<CgroupPath, CgroupError> {
        let below = given
            .strip_prefix(&self.mount)
            .or_else(|_| given.strip_prefix("/"));
        let relative = below.unwrap_or(given);
        let directory = self.mount.join(relative);
        let climbs = relative
            .components()
            .any(|part| part == Component::ParentDir);
        if climbs || !directory.is_dir() {
            return Err(CgroupError::Elsewhere {
                path: given.into(),
                mount: self.mount.clone(),
            });
        }
        Ok(format!("/{}", relative.display()))
    }

    /// The id of a cgroup: the inode of its directory.
    ///
    /// # Errors
    /// It does not exist.
    pub fn id(&self, path: &str) -> Result<CgroupId, CgroupError> {
        let directory = self.directory(path);
        let metadata = fs::metadata(&directory).map_err(error("look at", &directory))?;
        Ok(CgroupId(metadata.ino()))
    }

    /// Makes a cgroup.
    ///
    /// # Errors
    /// Not permitted, or it exists.
    pub fn make(&self, path: &str) -> Result<CgroupId, CgroupError> {
        let directory = self.directory(path);
        if let Some(parent) = directory.parent() {
            fs::create_dir_all(parent).map_err(error("make", parent))?;
        }
        fs::create_dir(&directory).map_err(error("make", &directory))?;
        self.id(path)
    }

    /// Removes a cgroup, and its children first. One with processes stays.
    ///
    /// # Errors
    /// A process is inside.
    pub fn remove(&self, path: &str) -> Result<(), CgroupError> {
        for child in self.children(path) {
            self.remove(&child)?;
        }
        let directory = self.directory(path);
        match fs::remove_dir(&directory) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(error("remove", &directory)(source))
            }
            _ => Ok(()),
        }
    }

    /// Whether a process is inside, in a child included.
    #[must_use]
    pub fn is_populated(&self, path: &str) -> bool {
        let events = fs::read_to_string(self.directory(path).join("cgroup.events"));
        events.is_ok_and(|events| events.lines().any(|line| line == "populated 1"))
    }

    /// Processes directly inside. None when the cgroup is gone.
    #[must_use]
    pub fn processes(&self, path: &str) -> Vec<u32> {
        let procs = fs::read_to_string(self.directory(path).join("cgroup.procs"));
        let procs = procs.unwrap_or_default();
        procs.lines().filter_map(|pid| pid.parse().ok()).collect()
    }

    /// Direct children, in the order of the file system. None when the cgroup is gone.
    #[must_use]
    pub fn children(&self, path: &str) -> Vec<CgroupPath> {
        let Ok(entries) = fs::read_dir(self.directory(path)) else {
            return Vec::new();
        };
        let parent = path.trim_end_matches('/');
        entries
            .filter_map(Result::ok)
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .map(|entry| format!("{parent}/{}", entry.file_name().to_string_lossy()))
            .collect()
    }

    /// A cgroup and all below it, parents first.
    #[must_use]
    pub fn tree(&self, path: &str) -> Vec<CgroupPath> {
        let mut found = vec![path.to_owned()];
        let mut next = 0;
        while let Some(path) = found.get(next) {
            let children = self.children(path);
            found.extend(children);
            next += 1;
        }
        found
    }
}

/// Level of a cgroup: 0 for the mount itself.
#[must_use]
pub fn depth(path: &str) -> usize {
    path.split('/').filter(|part| !part.is_empty()).count()
}

/// A cgroup and those above it, nearest first, without the root unless it is the one given.
pub fn upwards(path: &str) -> impl Iterator<Item = &str> {
    iter::successors(Some(path), |path| Some(path.rsplit_once('/')?.0))
        .filter(|path| !path.is_empty())
}

fn error(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CgroupError {
    let path = path.to_owned();
    move |source| CgroupError::Io {
        operation,
        path,
        source,
    }
}

/// The mount point of a line of mountinfo, if it is cgroup2 (proc(5): the type follows the dash).
fn mount_of(line: &str) -> Option<PathBuf> {
    let (before, after) = line.split_once(" - ")?;
    let kind = after.split(' ').next()?;
    (kind == "cgroup2").then_some(())?;
    Some(unescape(before.split(' ').nth(4)?))
}

/// Blanks and the like stand as three octal digits behind a backslash.
fn unescape(text: &str) -> PathBuf {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let octal = bytes.get(at + 1..at + 4).filter(|_| bytes[at] == b'\\');
        let code =
            octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        match code {
            Some(code) => {
                plain.push(code);
                at += 4;
            }
            None => {
                plain.push(bytes[at]);
                at += 1;
            }
        }
    }
    PathBuf::from(std::ffi::OsStr::from_bytes(&plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_mount_on_hybrid_and_unified_machines() {
        let hybrid = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw";
        let legacy = "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu";
        let blank = "41 31 0:38 / /mnt/a\\040b rw shared:5 - cgroup2 none rw,nsdelegate";
        assert_eq!(mount_of(hybrid), Some("/sys/fs/cgroup/unified".into()));
        assert_eq!(mount_of(legacy), None);
        assert_eq!(mount_of(blank), Some("/mnt/a b".into()));
    }

    #[test]
    fn upwards_ends_below_the_root() {
        let above = |path| upwards(path).collect::<Vec<_>>();
        assert_eq!(above("/a/b"), ["/a/b", "/a"]);
        assert_eq!(above("/a"), ["/a"]);
        assert_eq!(above("/"), ["/"]);
    }

    #[test]
    fn levels_count_from_the_mount() {
        assert_eq!((depth("/"), depth("/a"), depth("/a/b/")), (0, 1, 2));
    }
}
