//! The file system in which links and maps outlive the daemon.

use std::fs;

use anyhow::{Context, Result};

use crate::cmd;

const MOUNT_POINT: &str = "/sys/fs/bpf";

/// Mounts bpffs where it belongs, unless it is there.
///
/// Without root it only says so: builds and most tests do without.
///
/// # Errors
/// The mount fails.
pub(super) fn ensure() -> Result<()> {
    let mounts = fs::read_to_string("/proc/self/mounts").context("/proc/self/mounts")?;
    if is_mounted(&mounts) {
        return Ok(());
    }
    if !cmd::is_root() {
        eprintln!("note: for tests with the kernel run as root: mount -t bpf bpf {MOUNT_POINT}");
        return Ok(());
    }
    cmd::say(
        &format!("mount bpffs at {MOUNT_POINT}"),
        "links and maps are pinned there, so that enforcement outlives the daemon",
    );
    cmd::run(cmd::at_root("mount").args(["-t", "bpf", "bpf", MOUNT_POINT]))
}

/// Whether `mounts`, in the form of proc(5), has a bpffs at its usual place.
fn is_mounted(mounts: &str) -> bool {
    mounts.lines().any(|line| {
        let mut fields = line.split(' ').skip(1);
        fields.next() == Some(MOUNT_POINT) && fields.next() == Some("bpf")
    })
}

#[cfg(test)]
mod tests {
    use super::is_mounted;

    #[test]
    fn only_a_bpffs_counts() {
        assert!(is_mounted(
            "proc /proc proc rw 0 0\nbpf /sys/fs/bpf bpf rw,mode=700 0 0\n"
        ));
        assert!(is_mounted("none /sys/fs/bpf bpf rw 0 0\n"));
        assert!(!is_mounted("tmpfs /sys/fs/bpf tmpfs rw 0 0\n"));
        assert!(!is_mounted("bpf /run/bpf bpf rw 0 0\n"));
        assert!(!is_mounted(""));
    }
}
