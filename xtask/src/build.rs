//! `build`: the release binary.

use std::path::PathBuf;

use anyhow::Result;

use crate::{
    cmd,
    setup::{self, Toolchain},
};

/// Sets up, and builds.
///
/// # Errors
/// Something needed is missing and cannot be installed, or cargo fails.
pub(crate) fn run() -> Result<()> {
    let binary = release(&setup::run()?)?;
    println!("{}", binary.display());
    Ok(())
}

/// Builds `target/release/enforcer`, kernel programs included, and returns its path.
///
/// # Errors
/// Cargo fails.
pub(crate) fn release(toolchain: &Toolchain) -> Result<PathBuf> {
    cmd::say(
        "build",
        "the release binary, with the kernel programs inside",
    );
    let mut build = cmd::cargo(&["build", "--release", "--package", "enforcer"]);
    cmd::run(toolchain.apply(&mut build))?;
    Ok(target_directory()?.join("release/enforcer"))
}

/// Where cargo builds: `target`, unless the user moved it.
///
/// # Errors
/// Cargo cannot read the workspace.
pub(crate) fn target_directory() -> Result<PathBuf> {
    #[derive(serde::Deserialize)]
    struct Metadata {
        target_directory: PathBuf,
    }
    let mut metadata = cmd::cargo(&["metadata", "--format-version=1", "--no-deps"]);
    let metadata: Metadata = serde_json::from_str(&cmd::read(&mut metadata)?)?;
    Ok(metadata.target_directory)
}
