//! Components of the Rust toolchain.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::cmd;

/// A component of rustup, a file below the toolchain's directory that shows it is there, and why
/// it is needed.
const COMPONENTS: &[(&str, &str, &str)] = &[
    (
        "rust-src",
        "lib/rustlib/src/rust/library/core/src/lib.rs",
        "no `core` is shipped for BPF: it is built from source",
    ),
    ("clippy", "bin/cargo-clippy", "`check` runs it"),
    ("rustfmt", "bin/rustfmt", "`check` runs it"),
];

/// Adds the components that the toolchain lacks.
///
/// # Errors
/// There is no rustup to add them with, or it fails.
pub(super) fn ensure() -> Result<()> {
    let mut rustc = cmd::at_root("rustc");
    let sysroot = PathBuf::from(cmd::read(rustc.args(["--print", "sysroot"]))?.trim());
    for (component, file, why) in COMPONENTS {
        if !sysroot.join(file).exists() {
            add(component, why, &sysroot)?;
        }
    }
    Ok(())
}

/// Adds the standard library for binaries without shared libraries.
///
/// # Errors
/// There is no rustup to add it with, or it fails.
pub(super) fn ensure_static_target() -> Result<()> {
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let mut rustc = cmd::at_root("rustc");
    let sysroot = PathBuf::from(cmd::read(rustc.args(["--print", "sysroot"]))?.trim());
    if sysroot.join("lib/rustlib").join(&target).exists() {
        return Ok(());
    }
    let why = "the binary in the image needs no libraries";
    if cmd::find("rustup").is_none() {
        bail!("install the standard library of Rust for {target} ({why})");
    }
    cmd::say(&format!("rustup target add {target}"), why);
    cmd::run(cmd::at_root("rustup").args(["target", "add", &target]))
}

fn add(component: &str, why: &str, sysroot: &Path) -> Result<()> {
    if cmd::find("rustup").is_none() {
        bail!(
            "the Rust toolchain in {} lacks {component} ({why}), and there is no rustup to add it: \
             install your distribution's package of it",
            sysroot.display()
        );
    }
    cmd::say(&format!("rustup component add {component}"), why);
    cmd::run(cmd::at_root("rustup").args(["component", "add", component]))
        .with_context(|| format!("{component} is missing: {why}"))
}
