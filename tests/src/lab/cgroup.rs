//! Cgroups for one test.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, Write},
    os::{
        fd::AsFd,
        unix::{fs::MetadataExt, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context, ensure};
use enforcer_common::abi::CgroupId;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// A cgroup of the test's own, removed with all that is in it on drop.
#[derive(Debug)]
pub struct Cgroup {
    path: PathBuf,
    root: PathBuf,
}

impl Cgroup {
    /// A cgroup directly below the root of the cgroup2 hierarchy, with `name` in its name.
    ///
    /// # Errors
    /// Without root, or without a cgroup2 mount.
    pub fn new(name: &str) -> anyhow::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        super::require_root()?;
        let root = mount()?;
        let (pid, number) = (std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = root.join(format!("{PREFIX}{pid}-{number}-{name}"));
        Self::create(path, root)
    }

    /// A cgroup inside this one. It goes with its own value or with this one, whichever is first.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn child(&self, name: &str) -> anyhow::Result<Self> {
        Self::create(self.path.join(name), self.root.clone())
    }

    /// One directly below the root that another process left behind, to be removed on drop.
    ///
    /// # Errors
    /// Without root, or without a cgroup2 mount.
    pub fn left_behind(name: &str) -> anyhow::Result<Option<Self>> {
        super::require_root()?;
        let root = mount()?;
        let path = root.join(name);
        Ok(path.is_dir().then_some(Self { path, root }))
    }

    fn create(path: PathBuf, root: PathBuf) -> anyhow::Result<Self> {
        fs::create_dir(&path).with_context(|| format!("cannot make cgroup {}", path.display()))?;
        Ok(Self { path, root })
    }

    /// Its directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its path below the cgroup2 mount, as policies select it: `/name`.
    #[must_use]
    pub fn below_mount(&self) -> String {
        let below = self.path.strip_prefix(&self.root).unwrap_or(&self.path);
        format!("/{}", below.display())
    }

    /// Its id, as the kernel's programs see it.
    ///
    /// # Errors
    /// It has been removed.
    pub fn id(&self) -> anyhow::Result<CgroupId> {
        Ok(CgroupId(fs::metadata(&self.path)?.ino()))
    }

    /// Makes `command` move itself here before it executes anything: each of its sockets belongs to
    /// this cgroup.
    ///
    /// # Errors
    /// It has been removed.
    pub fn confine(&self, command: &mut Command) -> anyhow::Result<()> {
        let procs = File::options()
            .write(true)
            .open(self.path.join("cgroup.procs"))?;
        let enter = move || (&procs).write_all(b"0");
        // SAFETY: between fork and exec the closure makes one system call and does not allocate.
        unsafe { command.pre_exec(enter) };
        Ok(())
    }

    /// Moves a process here. Sockets it has already opened stay with their old cgroup.
    ///
    /// # Errors
    /// There is no such process.
    pub fn adopt(&self, pid: u32) -> anyhow::Result<()> {
        let procs = self.path.join("cgroup.procs");
        fs::write(&procs, pid.to_string())
            .with_context(|| format!("cannot move {pid} to {}", self.path.display()))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.path) {
            eprintln!("cannot remove cgroup {}: {error:#}", self.path.display());
        }
    }
}

/// First part of the names of cgroups made here.
pub const PREFIX: &str = "enforcer-test-";

/// Where cgroup2 is mounted: in a hybrid hierarchy that is not /sys/fs/cgroup.
///
/// # Errors
/// Nowhere.
pub fn mount() -> anyhow::Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let mut found = mounts.lines().filter_map(|line| {
        // proc(5): optional fields end with a single hyphen; the mount point is the fifth field.
        let (mount, filesystem) = line.split_once(" - ")?;
        filesystem
            .starts_with("cgroup2 ")
            .then(|| mount.split(' ').nth(4))
            .flatten()
    });
    let path = found
        .next()
        .context("no cgroup2 mount in /proc/self/mountinfo")?;
    Ok(path.into())
}

/// Removes a cgroup with all that is in it, if it exists.
pub(super) fn remove(cgroup: &Path) -> anyhow::Result<()> {
    if !cgroup.exists() {
        return Ok(());
    }
    // Kills everything below, on kernels from 5.14; older ones leave it to the owner of the
    // processes, whose own drop kills them.
    let _ = fs::write(cgroup.join("cgroup.kill"), "1");
    wait_until_empty(cgroup)?;
    remove_tree(cgroup)
}

/// Waits until no process is in a cgroup or below it, or the cgroup is gone.
///
/// # Errors
/// Processes remain for ten seconds.
pub fn wait_until_empty(cgroup: &Path) -> anyhow::Result<()> {
    let mut events = match File::open(cgroup.join("cgroup.events")) {
        Ok(events) => events,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let patience = PollTimeout::try_from(Duration::from_secs(10))?;
    loop {
        // Reading arms the notification that poll waits for, per open file.
        let mut text = String::new();
        events.rewind()?;
        match events.read_to_string(&mut text) {
            Ok(_) if !text.contains("populated 0") => {}
            // It was removed meanwhile.
            Err(error) if error.raw_os_error() != Some(libc::ENODEV) => return Err(error.into()),
            Ok(_) | Err(_) => return Ok(()),
        }
        let mut wait = [PollFd::new(events.as_fd(), PollFlags::POLLPRI)];
        ensure!(poll(&mut wait, patience)? > 0, "processes remain");
    }
}

fn remove_tree(cgroup: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(cgroup)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    Ok(fs::remove_dir(cgroup)?)
}
