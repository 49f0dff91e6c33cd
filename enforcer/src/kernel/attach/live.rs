//! Whether a pinned link still holds.

use std::{
    ffi::CString,
    fs, io,
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

/// Whether the kernel names a cgroup for the link that is pinned at `path`. A link whose cgroup is
/// gone, or that was detached by force, stays pinned and has none (kernel/bpf/cgroup.c,
/// `bpf_cgroup_link_show_fdinfo`). One that cannot be read does not hold as far as anybody knows.
pub(super) fn is_attached(path: &Path) -> bool {
    let Ok(link) = open(path) else {
        return false;
    };
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", link.as_raw_fd()));
    info.is_ok_and(|info| cgroup_of(&info).is_some_and(|cgroup| cgroup != 0))
}

/// Ends the link that is pinned at `path`, at once: one whose last pin goes is ended by the kernel
/// later, on a queue (kernel/bpf/syscall.c, `bpf_link_put`).
///
/// # Errors
/// There is no link, or the kernel cannot detach it (before 5.9).
pub(super) fn detach(path: &Path) -> io::Result<()> {
    const COMMAND: libc::c_long = 34;
    let link = open(path)?;
    let fd = link.as_raw_fd() as u32;
    // SAFETY: the kernel reads four bytes, and the descriptor is open until the call returns.
    let done = unsafe { libc::syscall(libc::SYS_bpf, COMMAND, &raw const fd, size_of::<u32>()) };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn cgroup_of(info: &str) -> Option<u64> {
    let field = info
        .lines()
        .find_map(|line| line.strip_prefix("cgroup_id:"))?;
    field.trim().parse().ok()
}

/// `BPF_OBJ_GET`, for aya lends no descriptor of a link.
fn open(path: &Path) -> io::Result<OwnedFd> {
    const COMMAND: libc::c_long = 7;
    /// The head of `union bpf_attr` for this command.
    #[repr(C)]
    struct Object {
        path: u64,
        fd: u32,
        flags: u32,
    }
    let path = CString::new(path.as_os_str().as_bytes())?;
    let object = Object {
        path: path.as_ptr().addr() as u64,
        fd: 0,
        flags: 0,
    };
    // SAFETY: the path ends with a NUL and lives until the call returns.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            COMMAND,
            &raw const object,
            size_of::<Object>(),
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made it, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

#[cfg(test)]
mod tests {
    use super::cgroup_of;

    #[test]
    fn a_detached_link_has_cgroup_0() {
        let info = |cgroup| format!("pos:\t0\nlink_type:\tcgroup\ncgroup_id:\t{cgroup}\n");
        assert_eq!(cgroup_of(&info(4711)), Some(4711));
        assert_eq!(cgroup_of(&info(0)), Some(0));
        assert_eq!(cgroup_of("pos:\t0\n"), None);
    }
}
