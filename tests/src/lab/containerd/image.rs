//! An image of busybox alone, for pods that do something and for those that only hold namespaces.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, ensure};
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// Its name.
pub(super) const BUSYBOX: &str = "localhost/busybox:1";

/// Makes it as an archive in the layout of `docker save`, which every runtime imports.
///
/// # Errors
/// There is no static busybox, or no tar.
pub(super) fn make(directory: &Path) -> anyhow::Result<PathBuf> {
    let root = directory.join("root");
    fs::create_dir_all(root.join("bin"))?;
    fs::copy("/bin/busybox", root.join("bin/busybox"))
        .context("no /bin/busybox: install busybox-static")?;
    for applet in ["sh", "sleep", "nc", "grep"] {
        symlink("busybox", root.join("bin").join(applet))?;
    }
    archive(&root, &directory.join("layer.tar"))?;
    let layer = fs::read(directory.join("layer.tar"))?;
    let digest = Sha256::digest(&layer);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let packed = directory.join("packed");
    fs::create_dir(&packed)?;
    fs::write(packed.join("layer.tar"), layer)?;
    let config = json!({
        "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
        "os": "linux",
        "config": {"Cmd": ["/bin/sleep", "2147483647"], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{digest}")]},
    });
    fs::write(packed.join("config.json"), config.to_string())?;
    let manifest =
        json!([{"Config": "config.json", "RepoTags": [BUSYBOX], "Layers": ["layer.tar"]}]);
    fs::write(packed.join("manifest.json"), manifest.to_string())?;
    let image = directory.join("busybox.tar");
    archive(&packed, &image)?;
    Ok(image)
}

fn archive(directory: &Path, to: &Path) -> anyhow::Result<()> {
    let mut tar = Command::new("tar");
    tar.arg("--create").arg("--file").arg(to);
    tar.arg("--directory").arg(directory).arg(".");
    let output = tar.output().context("cannot start tar")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "tar: {said}");
    Ok(())
}
