//! The files and mounts that make a directory the node of a containerd.

use std::{fs, path::Path};

use anyhow::Context;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use serde_json::json;

use super::image::BUSYBOX;

/// Addresses of pods.
pub(super) const PODS: &str = "10.214.0.0/16";

/// Mounts what containerd sees in place of the machine's own.
///
/// # Errors
/// The kernel refuses.
pub(super) fn arrange(directory: &Path) -> anyhow::Result<()> {
    // On hybrid machines the trees of cgroup v1 are there, each a mount.
    while umount2("/sys/fs/cgroup", MntFlags::MNT_DETACH).is_ok() {}
    let none = MsFlags::empty();
    let nothing = None::<&str>;
    mount(
        Some("cgroup2"),
        "/sys/fs/cgroup",
        Some("cgroup2"),
        none,
        nothing,
    )
    .context("mount cgroup2")?;
    mount(Some("bpf"), "/sys/fs/bpf", Some("bpf"), none, nothing).context("mount bpffs")?;
    let bind = MsFlags::MS_BIND;
    mount(Some(&directory.join("run")), "/run", nothing, bind, nothing).context("mount /run")?;
    // As systemd leaves it: mounts there reach those who ask for them.
    mount(nothing, "/run", nothing, MsFlags::MS_SHARED, nothing)?;
    fs::create_dir_all("/var/lib/enforcer")?;
    let state = directory.join("state");
    mount(Some(&state), "/var/lib/enforcer", nothing, bind, nothing).context("mount the state")?;
    fs::create_dir_all("/run/enforcer")?;
    Ok(())
}

/// The settings of containerd.
///
/// # Errors
/// The wrapper of runc has not been built.
pub(super) fn configuration(directory: &Path) -> anyhow::Result<String> {
    let directory = directory.display();
    let runc = crate::lab::binary("runc-bare")?;
    Ok(format!(
        r#"version = 2
root = "{directory}/root"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "{directory}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{BUSYBOX}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  tolerate_missing_hugetlb_controller = true
  max_concurrent_downloads = 1
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
    default_runtime_name = "runc"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      BinaryName = "{}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{directory}/cni"
"#,
        runc.display()
    ))
}

/// How pods get an interface.
pub(super) fn network(directory: &Path) -> String {
    let network = json!({
        "cniVersion": "0.4.0",
        "name": "laboratory",
        "type": "ptp",
        "ipam": {
            "type": "host-local",
            "dataDir": directory.join("cni-data"),
            "subnet": PODS,
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    });
    network.to_string()
}
