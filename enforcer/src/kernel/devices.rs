//! Programs on interfaces of workloads, at the host's end.
//!
//! From Linux 6.6 on they are tcx links, which stand beside those of others and are pinned. Before,
//! they are filters of a clsact qdisc: a filter lives with its interface, and a symbolic link in place
//! of the pin keeps its priority and handle.

use std::{
    fs, io,
    mem::ManuallyDrop,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use aya::{
    maps::{HashMap, Map, MapData, MapError},
    programs::{
        LinkOrder, ProgramError, SchedClassifier, TcAttachType,
        links::FdLink,
        tc::{NlOptions, SchedClassifierLink, TcAttachOptions, TcHandle, qdisc_add_clsact},
    },
};
use enforcer_common::abi::{CgroupId, names};

use super::{
    attach::read_dir,
    error::KernelError,
    object::{Maps, typed},
    pins::{PinDir, remove_tree},
};

/// Programs of an interface, in the order in which they are attached: what must be remembered is
/// remembered before anything is refused for want of it.
pub const DEVICE_HOOKS: [&str; 2] = ["device_ingress", "device_egress"];

/// An interface of the daemon's network namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interface {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: String,
}

/// An interface that programs are attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachedDevice {
    /// Its index.
    pub index: u32,
    /// Whose tag judges.
    pub cgroup: CgroupId,
    /// Names of the attached programs.
    pub hooks: Vec<String>,
}

impl AttachedDevice {
    /// Its name in the network namespace of this process; its index when it has none there.
    #[must_use]
    pub fn name(&self) -> String {
        name_of(self.index).unwrap_or_else(|| self.index.to_string())
    }
}

/// Interfaces of workloads, and their programs.
///
/// A value of its own: the kernel lets one at a time change interfaces of any network namespace, and who
/// attaches waits for all others that do.
pub struct DeviceLinks {
    dir: PinDir,
    owners: DeviceMap,
}

impl DeviceLinks {
    pub(super) fn new(dir: &PinDir, maps: &mut Maps) -> Result<Self, KernelError> {
        Ok(Self {
            dir: dir.clone(),
            owners: DeviceMap::new(maps)?,
        })
    }

    /// Judges all that comes out of a workload's interface by the tag of `cgroup`, at the host's end
    /// of it. An interface that is attached already only changes its cgroup.
    ///
    /// # Errors
    /// The interface is gone, the map is full or the kernel refuses.
    pub fn attach(&mut self, interface: &Interface, cgroup: CgroupId) -> Result<(), KernelError> {
        self.owners.set(interface.index, cgroup)?;
        Devices::new(&self.dir).attach(&self.dir, interface)
    }

    /// Leaves an interface alone again.
    ///
    /// # Errors
    /// A pin cannot be removed, or the map cannot be written.
    pub fn detach(&mut self, index: u32) -> Result<(), KernelError> {
        Devices::new(&self.dir).remove(index)?;
        self.owners.remove(index)
    }

    /// Interfaces with programs.
    ///
    /// # Errors
    /// The pins cannot be listed, or the map cannot be read.
    pub fn list(&self) -> Result<Vec<AttachedDevice>, KernelError> {
        let mut attached = Vec::new();
        for (index, hooks) in Devices::new(&self.dir).list()? {
            if let Some(cgroup) = self.owners.get(index)? {
                attached.push(AttachedDevice {
                    index,
                    cgroup,
                    hooks,
                });
            }
        }
        Ok(attached)
    }
}

/// Which cgroup's tag judges what comes out of an interface.
struct DeviceMap(HashMap<MapData, u32, CgroupId>);

impl DeviceMap {
    fn new(maps: &mut Maps) -> Result<Self, KernelError> {
        typed(names::DEVICES, Map::HashMap(maps.get(names::DEVICES)?)).map(Self)
    }

    fn set(&mut self, index: u32, cgroup: CgroupId) -> Result<(), KernelError> {
        self.0
            .insert(index, cgroup, 0)
            .map_err(KernelError::map("write", names::DEVICES))
    }

    fn remove(&mut self, index: u32) -> Result<(), KernelError> {
        match self.0.remove(&index) {
            Ok(()) | Err(MapError::KeyNotFound) => Ok(()),
            Err(error) => Err(KernelError::map("remove from", names::DEVICES)(error)),
        }
    }

    fn get(&self, index: u32) -> Result<Option<CgroupId>, KernelError> {
        match self.0.get(&index, 0) {
            Ok(cgroup) => Ok(Some(cgroup)),
            Err(MapError::KeyNotFound) => Ok(None),
            Err(error) => Err(KernelError::map("read", names::DEVICES)(error)),
        }
    }
}

/// The pinned links of interfaces.
pub(super) struct Devices(PathBuf);

impl Devices {
    pub(super) fn new(dir: &PinDir) -> Self {
        Self(dir.devices())
    }

    fn attach(&self, dir: &PinDir, interface: &Interface) -> Result<(), KernelError> {
        let below = self.0.join(interface.index.to_string());
        fs::create_dir_all(&below).map_err(KernelError::io("make", &below))?;
        for hook in DEVICE_HOOKS {
            let path = below.join(hook);
            // Not `exists`: a symbolic link here leads nowhere.
            if fs::symlink_metadata(&path).is_ok() {
                continue;
            }
            let link =
                attach(dir, hook, interface).map_err(|source| KernelError::AttachDevice {
                    program: hook,
                    interface: interface.name.clone(),
                    source: Box::new(source),
                })?;
            keep(link, &path)?;
        }
        Ok(())
    }

    /// Every interface with its programs.
    fn list(&self) -> Result<Vec<(u32, Vec<String>)>, KernelError> {
        if !self.0.exists() {
            return Ok(Vec::new());
        }
        let mut attached = Vec::new();
        for entry in read_dir(&self.0)? {
            if let Ok(index) = entry.file_name().to_string_lossy().parse() {
                let links = match read_dir(&entry.path()) {
                    // Let go of meanwhile.
                    Err(_) if !entry.path().exists() => continue,
                    links => links?,
                };
                let hooks = links
                    .iter()
                    .map(|link| link.file_name().to_string_lossy().into_owned())
                    .collect();
                attached.push((index, hooks));
            }
        }
        attached.sort_unstable();
        Ok(attached)
    }

    fn remove(&self, index: u32) -> Result<(), KernelError> {
        let below = self.0.join(index.to_string());
        for hook in DEVICE_HOOKS {
            // A filter of an interface that is gone went with it.
            if let Ok(filter) = fs::read_link(below.join(hook))
                && let Some(name) = name_of(index)
                && let Some((priority, handle)) = parse_filter(&filter)
                && let Ok(link) =
                    SchedClassifierLink::attached(&name, place(hook), priority, handle, None)
            {
                drop(link);
            }
        }
        remove_tree(&below)
    }

    pub(super) fn remove_all(&self) -> Result<(), KernelError> {
        self.list()?
            .into_iter()
            .try_for_each(|(index, _)| self.remove(index))
    }
}

/// What a workload sends comes in at the host's end.
fn place(hook: &str) -> TcAttachType {
    if hook == "device_egress" {
        TcAttachType::Ingress
    } else {
        TcAttachType::Egress
    }
}

/// Attaches a pinned program before those that stand there: none of theirs can let a frame pass that
/// this one has not seen.
fn attach(
    dir: &PinDir,
    hook: &'static str,
    interface: &Interface,
) -> Result<SchedClassifierLink, ProgramError> {
    let mut program = SchedClassifier::from_pin(dir.program(hook))?;
    let first = TcAttachOptions::TcxOrder(LinkOrder::first());
    let id = match program.attach_with_options(&interface.name, place(hook), first) {
        Err(ProgramError::SyscallError(error)) if is_unknown(&error.io_error) => {
            // A qdisc that is there already is as good.
            let _ = qdisc_add_clsact(&interface.name);
            let filter = TcAttachOptions::Netlink(NlOptions {
                priority: 1,
                ..NlOptions::default()
            });
            program.attach_with_options(&interface.name, place(hook), filter)?
        }
        outcome => outcome?,
    };
    program.take_link(id)
}

/// What kernels before 6.6 say of tcx.
fn is_unknown(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EOPNOTSUPP))
}

/// Makes a link outlive the process.
fn keep(link: SchedClassifierLink, path: &Path) -> Result<(), KernelError> {
    let filter = match (link.priority(), link.handle()) {
        (Ok(priority), Ok(handle)) => format!("{priority}:{}", u32::from(handle)),
        _ => return pin(link, path),
    };
    symlink(filter, path).map_err(KernelError::io("make", path))?;
    // Dropping it would remove the filter.
    let _filter = ManuallyDrop::new(link);
    Ok(())
}

fn pin(link: SchedClassifierLink, path: &Path) -> Result<(), KernelError> {
    let link = FdLink::try_from(link).map_err(|source| KernelError::Link {
        path: path.into(),
        source: Box::new(source),
    })?;
    link.pin(path).map_err(|source| KernelError::Pin {
        path: path.into(),
        source: Box::new(source),
    })?;
    Ok(())
}

fn parse_filter(filter: &Path) -> Option<(u16, TcHandle)> {
    let (priority, handle) = filter.to_str()?.split_once(':')?;
    let handle: u32 = handle.parse().ok()?;
    Some((priority.parse().ok()?, handle.into()))
}

fn name_of(index: u32) -> Option<String> {
    let socket = rustix::net::socket(
        rustix::net::AddressFamily::UNIX,
        rustix::net::SocketType::DGRAM,
        None,
    );
    rustix::net::netdevice::index_to_name(socket.ok()?, index).ok()
}
