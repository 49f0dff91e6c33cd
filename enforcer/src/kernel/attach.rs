//! Hooks on cgroups.

mod live;

use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use aya::programs::{
    CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, CgroupSockAddr, ProgramError,
    cgroup_skb::CgroupSkbLink,
    cgroup_sock_addr::CgroupSockAddrLink,
    links::{FdLink, LinkError},
};
use enforcer_common::abi::CgroupId;

use super::{
    error::KernelError,
    pins::{PinDir, remove_tree},
};

/// Every program, in the order in which they are attached: packets first, so that a socket hook is
/// never the only thing in the way.
pub const HOOKS: [&str; 6] = [
    "ingress", "egress", "sendmsg4", "sendmsg6", "connect4", "connect6",
];

/// A cgroup that the hooks are attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachedCgroup {
    /// Its id.
    pub cgroup: CgroupId,
    /// Names of the hooks whose links hold: a link outlives its cgroup, and root can detach it.
    pub hooks: Vec<String>,
}

/// The pinned links of an enforcement.
pub(super) struct Links(PathBuf);

impl Links {
    pub(super) fn new(dir: &PinDir) -> Self {
        Self(dir.links())
    }

    pub(super) fn attach(&self, dir: &PinDir, cgroup: &Path) -> Result<(), KernelError> {
        let open = |path: &Path| File::open(path).map_err(KernelError::io("open cgroup", path));
        let handle = open(cgroup)?;
        let id = handle
            .metadata()
            .map_err(KernelError::io("stat cgroup", cgroup))?
            .ino();
        let below = self.0.join(id.to_string());
        fs::create_dir_all(&below).map_err(KernelError::io("make", &below))?;
        for hook in HOOKS {
            let path = below.join(hook);
            if path.exists() {
                continue;
            }
            let link = attach_hook(dir, hook, &handle).map_err(|source| KernelError::Attach {
                program: hook,
                cgroup: cgroup.into(),
                source: Box::new(source),
            })?;
            link.pin(&path).map_err(|source| KernelError::Pin {
                path,
                source: Box::new(source),
            })?;
        }
        Ok(())
    }

    pub(super) fn forget(&self, cgroup: CgroupId) -> Result<(), KernelError> {
        let links = self.0.join(cgroup.0.to_string());
        end_links(&links);
        remove_tree(&links)
    }

    pub(super) fn list(&self) -> Result<Vec<AttachedCgroup>, KernelError> {
        let mut attached = Vec::new();
        for entry in read_dir(&self.0)? {
            let Ok(id) = entry.file_name().to_string_lossy().parse() else {
                continue;
            };
            let hooks = read_dir(&entry.path())?
                .iter()
                .filter(|link| live::is_attached(&link.path()))
                .map(|link| link.file_name().to_string_lossy().into_owned())
                .collect();
            attached.push(AttachedCgroup {
                cgroup: CgroupId(id),
                hooks,
            });
        }
        attached.sort_unstable_by_key(|attached| attached.cgroup);
        Ok(attached)
    }
}

/// Ends every link that is pinned below a directory. What cannot be detached ends with its pin.
pub(super) fn end_links(directory: &Path) {
    for entry in read_dir(directory).unwrap_or_default() {
        let path = entry.path();
        if path.is_dir() {
            end_links(&path);
        } else {
            // The pin is removed next, and tells what cannot be removed.
            let _ends_with_its_pin = live::detach(&path);
        }
    }
}

pub(super) fn read_dir(path: &Path) -> Result<Vec<fs::DirEntry>, KernelError> {
    let entries = fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    entries.map_err(KernelError::io("list", path))
}

/// Why a hook could not be attached.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// The program could not be opened or attached.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The kernel has no links for cgroups.
    #[error("cgroup links need Linux 5.7")]
    Link(#[from] LinkError),
}

/// Attaches a pinned program, beside whatever else is attached there.
fn attach_hook(dir: &PinDir, hook: &'static str, cgroup: &File) -> Result<FdLink, AttachError> {
    let path = dir.program(hook);
    // Links take no flags and always stand beside others (kernel/bpf/cgroup.c,
    // `cgroup_bpf_link_attach`).
    let mode = CgroupAttachMode::Single;
    if let Some(kind) = skb_kind(hook) {
        let mut program = CgroupSkb::from_pin(path, kind)?;
        let id = program.attach(cgroup, kind, mode)?;
        let link: CgroupSkbLink = program.take_link(id)?;
        Ok(link.try_into()?)
    } else {
        let kind = sock_addr_kind(hook);
        let mut program = CgroupSockAddr::from_pin(path, kind)?;
        let id = program.attach(cgroup, mode)?;
        let link: CgroupSockAddrLink = program.take_link(id)?;
        Ok(link.try_into()?)
    }
}

fn skb_kind(hook: &str) -> Option<CgroupSkbAttachType> {
    match hook {
        "egress" => Some(CgroupSkbAttachType::Egress),
        "ingress" => Some(CgroupSkbAttachType::Ingress),
        _ => None,
    }
}

fn sock_addr_kind(hook: &str) -> aya::programs::CgroupSockAddrAttachType {
    use aya::programs::CgroupSockAddrAttachType as Kind;
    match hook {
        "connect4" => Kind::Connect4,
        "connect6" => Kind::Connect6,
        "sendmsg4" => Kind::UDPSendMsg4,
        _ => Kind::UDPSendMsg6,
    }
}
