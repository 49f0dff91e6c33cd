//! What a confined command may not do besides going to disallowed places.
//!
//! Packet sockets and AF_XDP do not pass the IP stack, so no cgroup hook sees them, and a command
//! that shares the host's interfaces has no interface of its own to be judged at. So `exec` refuses
//! to open socket families that lead off the host by another way. io_uring opens sockets past
//! seccomp, so it is reported as missing; programs then use epoll, as under the default profiles of
//! container runtimes. And bpf(2) is refused: with it a command that runs as root could detach the
//! hooks.

use std::{collections::BTreeMap, io};

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

/// Families that stay on the host or are judged by the hooks.
const PERMITTED_FAMILIES: [libc::c_int; 4] = [
    libc::AF_UNIX,
    libc::AF_INET,
    libc::AF_INET6,
    libc::AF_NETLINK,
];

/// Filters, ready to be installed between fork and exec.
#[derive(Clone)]
pub(super) struct Restrictions([BpfProgram; 3]);

impl Restrictions {
    /// Compiles the filters for this machine's architecture.
    ///
    /// # Errors
    /// The architecture has no filters.
    pub(super) fn compile() -> io::Result<Self> {
        let families = filter([(libc::SYS_socket, vec![other_family()?])], libc::EPERM)?;
        let io_uring = filter([(libc::SYS_io_uring_setup, vec![])], libc::ENOSYS)?;
        let bpf = filter([(libc::SYS_bpf, vec![])], libc::EPERM)?;
        Ok(Self([families, io_uring, bpf]))
    }

    /// Installs them for the calling process and all that it starts. Needs root or `no_new_privs`.
    ///
    /// # Errors
    /// The kernel refuses.
    pub(super) fn install(&self) -> io::Result<()> {
        for program in &self.0 {
            seccompiler::apply_filter(program).map_err(|_| io::Error::last_os_error())?;
        }
        Ok(())
    }
}

/// A call with a first argument that is none of the permitted families.
fn other_family() -> io::Result<SeccompRule> {
    let differs = |family: libc::c_int| {
        SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, family as u64)
    };
    let conditions = PERMITTED_FAMILIES
        .into_iter()
        .map(differs)
        .collect::<Result<_, _>>();
    SeccompRule::new(conditions.map_err(io::Error::other)?).map_err(io::Error::other)
}

fn filter<const N: usize>(
    calls: [(libc::c_long, Vec<SeccompRule>); N],
    errno: libc::c_int,
) -> io::Result<BpfProgram> {
    let arch = std::env::consts::ARCH
        .try_into()
        .map_err(io::Error::other)?;
    let rules: BTreeMap<i64, Vec<SeccompRule>> = calls.into_iter().collect();
    let refuse = SeccompAction::Errno(errno as u32);
    SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch)
        .and_then(BpfProgram::try_from)
        .map_err(io::Error::other)
}
