//! What can go wrong with the kernel.

use std::path::PathBuf;

use super::{attach::AttachError, refusal::Refusal};
use aya::{
    EbpfError,
    maps::MapError,
    pin::PinError,
    programs::{ProgramError, links::LinkError},
};

/// A kernel operation that failed, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// Not permitted.
    #[error(
        "loading kernel programs needs root, or CAP_BPF with CAP_NET_ADMIN and CAP_PERFMON: run it with sudo"
    )]
    NotPermitted,
    /// The object could not be loaded.
    #[error(
        "load the kernel programs (Linux 5.10 or newer with CONFIG_CGROUP_BPF and BTF is needed)"
    )]
    Object(#[source] Box<EbpfError>),
    /// The kernel refused a program.
    #[error("load program `{program}` (Linux 5.10 or newer with CONFIG_CGROUP_BPF is needed)")]
    Refused {
        /// Its name.
        program: &'static str,
        /// What the kernel and its verifier said.
        #[source]
        refusal: Box<Refusal>,
    },
    /// A program could not be loaded for another reason.
    #[error("load program `{program}`")]
    Program {
        /// Its name.
        program: &'static str,
        /// What the kernel said.
        #[source]
        source: Box<ProgramError>,
    },
    /// The object lacks a program or a map: the build is broken.
    #[error("the embedded object has no `{0}`: build enforcer again")]
    Missing(&'static str),
    /// The system has no random numbers.
    #[error("draw a random number from the system")]
    Random(#[source] std::io::Error),
    /// A map operation failed.
    #[error("{operation} map `{map}`")]
    Map {
        /// What was tried.
        operation: &'static str,
        /// The map.
        map: &'static str,
        /// What the kernel said.
        #[source]
        source: Box<MapError>,
    },
    /// A pin could not be made.
    #[error("pin {path}: is bpffs mounted there? `mount -t bpf bpf /sys/fs/bpf`")]
    Pin {
        /// Where.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: Box<PinError>,
    },
    /// A link could not be opened.
    #[error("open link {path}")]
    Link {
        /// The pin.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: Box<LinkError>,
    },
    /// A hook could not be attached.
    #[error("attach `{program}` to cgroup {cgroup}")]
    Attach {
        /// The program.
        program: &'static str,
        /// The cgroup.
        cgroup: PathBuf,
        /// What the kernel said.
        #[source]
        source: Box<AttachError>,
    },
    /// A program could not be attached to an interface.
    #[error("attach `{program}` to interface {interface}")]
    AttachDevice {
        /// The program.
        program: &'static str,
        /// The interface.
        interface: String,
        /// What the kernel said.
        #[source]
        source: Box<ProgramError>,
    },
    /// The traces of the programs could not be read.
    #[error("read the traces of the kernel programs")]
    Traces(#[source] aya_log::Error),
    /// A file operation failed.
    #[error("{operation} {path}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The pins were made by a build with other bytes.
    #[error("{path} was pinned by another version of enforcer: run `enforcer detach` first")]
    OtherVersion {
        /// The directory.
        path: PathBuf,
    },
    /// The tag would not be found.
    #[error("cgroup {path} is {depth} levels deep, and tags are looked for down to level 16")]
    TooDeep {
        /// The cgroup.
        path: PathBuf,
        /// Its level.
        depth: usize,
    },
}

impl KernelError {
    pub(super) fn map(operation: &'static str, map: &'static str) -> impl FnOnce(MapError) -> Self {
        move |source| Self::Map {
            operation,
            map,
            source: Box::new(source),
        }
    }

    pub(super) fn io(
        operation: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            operation,
            path,
            source,
        }
    }
}
