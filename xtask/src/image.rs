//! `image`: the container image, from scratch, with one static binary in it.

use std::{
    env::consts::ARCH,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::{
    build, cmd,
    setup::{self, Toolchain},
};

/// What the image is called where it is loaded.
const NAME: &str = "localhost/enforcer";

/// Files beside the binary: below the repository, and in the image.
const DOCUMENTS: [(&str, &str); 4] = [
    ("LICENSE-APACHE", "LICENSE-APACHE"),
    ("LICENSE-MIT", "LICENSE-MIT"),
    ("enforcer/assets/geo/ATTRIBUTION", "geo/ATTRIBUTION"),
    ("enforcer/assets/geo/LICENSE", "geo/LICENSE"),
];

/// Builds it, and prints where it is and its digest.
///
/// # Errors
/// Something needed is missing and cannot be installed, or a build fails.
pub(crate) fn run() -> Result<()> {
    let archive = build(&binary(&setup::run()?)?)?;
    println!("{}", archive.path.display());
    println!("{NAME}@{}", archive.digest);
    Ok(())
}

/// An image in a file.
pub(crate) struct Archive {
    /// The file.
    pub(crate) path: PathBuf,
    digest: String,
}

/// Builds the static binary, kernel programs included, and returns its path.
///
/// # Errors
/// As [`run`].
pub(crate) fn binary(toolchain: &Toolchain) -> Result<PathBuf> {
    setup::for_static_binary()?;
    let target = format!("{ARCH}-unknown-linux-musl");
    cmd::say(
        "build",
        "the static binary, with the kernel programs inside",
    );
    let mut cargo = cmd::cargo(&["build", "--release", "--package", "enforcer", "--target"]);
    cmd::run(toolchain.apply(cargo.arg(&target)))?;
    Ok(build::target_directory()?
        .join(target)
        .join("release/enforcer"))
}

/// Builds it around the [`binary`].
///
/// # Errors
/// As [`run`].
pub(crate) fn build(binary: &Path) -> Result<Archive> {
    setup::for_image()?;
    let directory = build::target_directory()?.join("image");
    let context = directory.join("context");
    cmd::say(
        "image",
        "a layer with the binary, its licences and nothing else",
    );
    stage(binary, &context.join("root"))?;
    pack(&context, &directory)
}

/// Lays out what is in the image.
fn stage(binary: &Path, root: &Path) -> Result<()> {
    if root.exists() {
        fs::remove_dir_all(root)?;
    }
    // Where settings and policies are mounted: a root that is read-only has to have the place.
    for directory in ["usr/bin", "etc/enforcer/policies", "etc/enforcer/settings"] {
        fs::create_dir_all(root.join(directory))?;
    }
    copy(binary, &root.join("usr/bin/enforcer"), 0o555)?;
    for (from, to) in DOCUMENTS {
        let to = root.join("usr/share/doc/enforcer").join(to);
        copy(&cmd::root().join(from), &to, 0o444)?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path, mode: u32) -> Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::copy(from, to).with_context(|| format!("copy {}", from.display()))?;
    Ok(fs::set_permissions(to, fs::Permissions::from_mode(mode))?)
}

/// Makes the image with the time of the commit in place of the time of the day, so that the same binary
/// gives the same digest.
fn pack(context: &Path, directory: &Path) -> Result<Archive> {
    let git = |arguments: &[&str]| cmd::read(cmd::at_root("git").args(arguments));
    let time = git(&["log", "-1", "--format=%ct"])?;
    let revision = git(&["rev-parse", "HEAD"])?;
    let time = time.trim();
    let name = format!("{NAME}:{}", env!("CARGO_PKG_VERSION"));
    let labels = [
        ("title", "enforcer"),
        ("description", "Host egress enforcer"),
        ("source", "https://github.com/enforcer-dev/enforcer"),
        ("licenses", "(Apache-2.0 OR MIT) AND CC-BY-SA-4.0"),
        ("version", env!("CARGO_PKG_VERSION")),
        ("revision", revision.trim()),
    ];
    let buildah = |verb: &str| {
        let mut buildah = cmd::at_root("buildah");
        // Works in containers and without root; and leaves nothing where others keep their images.
        buildah.args(["--storage-driver=vfs", "--root"]);
        buildah.arg(directory.join("storage"));
        buildah.arg("--runroot").arg(directory.join("storage-run"));
        buildah.arg(verb);
        buildah
    };
    let mut build = buildah("bud");
    build.args(["--quiet", "--no-cache", "--identity-label=false"]);
    build.args(["--timestamp", time, "--tag", &name]);
    for (label, value) in labels {
        build.arg(format!("--label=org.opencontainers.image.{label}={value}"));
    }
    build.arg("--file").arg("deploy/image/Containerfile");
    cmd::read(build.arg(context))?;

    let layout = directory.join("layout");
    if layout.exists() {
        fs::remove_dir_all(&layout)?;
    }
    let mut push = buildah("push");
    push.args(["--quiet", &name]);
    cmd::read(push.arg(format!("oci:{}:{name}", layout.display())))?;
    cmd::read(buildah("rmi").args(["--all", "--force"]))?;

    let path = directory.join("enforcer.tar");
    let mut tar = cmd::at_root("tar");
    tar.args(["--create", "--sort=name", "--owner=0", "--group=0"]);
    tar.args(["--numeric-owner", "--mode=u=rwX,go=rX"]);
    tar.arg(format!("--mtime=@{time}"));
    tar.arg("--file").arg(&path).arg("--directory").arg(&layout);
    cmd::run(tar.arg("."))?;
    Ok(Archive {
        digest: digest(&layout)?,
        path,
    })
}

/// The digest of the only image of a layout (OCI image-spec, `index.json`).
fn digest(layout: &Path) -> Result<String> {
    #[derive(serde::Deserialize)]
    struct Index {
        manifests: Vec<Manifest>,
    }
    #[derive(serde::Deserialize)]
    struct Manifest {
        digest: String,
    }
    let index: Index = serde_json::from_slice(&fs::read(layout.join("index.json"))?)?;
    let manifest = index.manifests.into_iter().next();
    Ok(manifest.context("an image without a manifest")?.digest)
}
