//! Directories of bpffs: what keeps an enforcement alive.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{attach::end_links, build::Build, devices::Devices, error::KernelError};

/// One enforcement's directory below `/sys/fs/bpf/enforcer/INSTANCE`.
///
/// ```text
/// maps/NAME               pinned maps
/// programs/NAME           pinned programs, so that an adopter can attach them elsewhere
/// links/CGROUP-ID/NAME    pinned links
/// devices/INDEX/NAME      pinned links of interfaces; before Linux 6.6 a symbolic link that names a filter
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinDir(PathBuf);

impl PinDir {
    /// Where bpffs is expected.
    pub const BPFFS: &str = "/sys/fs/bpf";

    /// Everything of an instance.
    #[must_use]
    pub fn of_instance(instance: &str) -> Self {
        Self(Path::new(Self::BPFFS).join("enforcer").join(instance))
    }

    /// The directory of `run`, named by the build: another build's programs and maps may not fit.
    #[must_use]
    pub fn of_run(instance: &str, build: Build) -> Self {
        Self(
            Self::of_instance(instance)
                .0
                .join(format!("run-{}", build.digest())),
        )
    }

    /// Directories of `run` that builds other than `build` made.
    ///
    /// # Errors
    /// The directory cannot be listed.
    pub fn others(instance: &str, build: Build) -> Result<Vec<Self>, KernelError> {
        let own = Self::of_run(instance, build);
        let all = Self::of_instance(instance).below("run-")?;
        Ok(all.into_iter().filter(|dir| *dir != own).collect())
    }

    /// The directory of one `exec`, named by its cgroup.
    #[must_use]
    pub fn of_exec(instance: &str, name: &str) -> Self {
        Self(Self::of_instance(instance).0.join(name))
    }

    /// The directories of every `exec` below that of an instance.
    ///
    /// # Errors
    /// The directory cannot be listed.
    pub fn execs(&self) -> Result<Vec<Self>, KernelError> {
        self.below("exec-")
    }

    fn below(&self, prefix: &str) -> Result<Vec<Self>, KernelError> {
        let entries = fs::read_dir(&self.0).map_err(KernelError::io("list", &self.0))?;
        let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
        let fits = |path: &PathBuf| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(prefix))
        };
        Ok(paths.filter(fits).map(Self).collect())
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Whether it exists.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.0.exists()
    }

    /// Makes the directory, after making sure that it is bpffs.
    ///
    /// # Errors
    /// bpffs is not mounted and cannot be, or the directory cannot be made.
    pub fn make(&self) -> Result<(), KernelError> {
        mount_bpffs()?;
        for below in ["maps", "programs", "links", "devices"] {
            let path = self.0.join(below);
            fs::create_dir_all(&path).map_err(KernelError::io("make", path))?;
        }
        Ok(())
    }

    /// Removes every pin: the links go first, so that nothing decides over half a set of maps.
    ///
    /// # Errors
    /// The first thing that could not be removed, after trying all.
    pub fn remove(&self) -> Result<(), KernelError> {
        let mut outcome = Ok(());
        // Of the directory itself, and of those of an instance.
        let runs = self.below("run-").unwrap_or_default();
        let execs = self.below("exec-").unwrap_or_default();
        for directory in [self].into_iter().chain(&runs).chain(&execs) {
            end_links(&directory.links());
            end_links(&directory.devices());
            outcome = outcome.and(Devices::new(directory).remove_all());
        }
        for below in ["links", "devices", "programs", "maps"] {
            outcome = outcome.and(remove_tree(&self.0.join(below)));
        }
        outcome.and(remove_tree(&self.0))
    }

    pub(super) fn map(&self, name: &str) -> PathBuf {
        self.0.join("maps").join(name)
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.0.join("programs").join(name)
    }

    pub(super) fn devices(&self) -> PathBuf {
        self.0.join("devices")
    }

    pub(super) fn links(&self) -> PathBuf {
        self.0.join("links")
    }
}

pub(super) fn remove_tree(path: &Path) -> Result<(), KernelError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(KernelError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Mounts bpffs where systemd would, on machines without systemd.
fn mount_bpffs() -> Result<(), KernelError> {
    let target = Path::new(PinDir::BPFFS);
    let is_bpffs =
        |path: &Path| rustix::fs::statfs(path).is_ok_and(|stat| stat.f_type as u64 == BPF_FS_MAGIC);
    if is_bpffs(target) {
        return Ok(());
    }
    rustix::mount::mount(
        "bpf",
        target,
        "bpf",
        rustix::mount::MountFlags::empty(),
        None,
    )
    .map_err(|errno| KernelError::io("mount bpffs at", target)(errno.into()))
}

/// `include/uapi/linux/magic.h`.
const BPF_FS_MAGIC: u64 = 0xcafe_4a11;
