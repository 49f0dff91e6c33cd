//! `demo`: a confined process at work. The story is told by `tests/src/bin/demo`.

use anyhow::{Result, bail};

use crate::{build, cmd, setup};

/// As the suites are built, so that whoever runs both compiles once.
const PROGRAMS: &[&str] = &[
    "build",
    "-p",
    "enforcer-tests",
    "--features",
    "enforcer/kernel",
    "--bin",
    "demo",
    "--bin",
    "probe",
];

/// Sets up, builds, and shows.
///
/// # Errors
/// This is not root, or what is shown does not go as it should.
pub(crate) fn run() -> Result<()> {
    if !cmd::is_root() {
        bail!(
            "the demo makes namespaces and attaches programs to a cgroup of its own: run as root"
        );
    }
    let toolchain = setup::run()?;
    let binary = build::release(&toolchain)?;
    cmd::say("build", "a client, and an internet for it");
    cmd::run(toolchain.apply(&mut cmd::cargo(PROGRAMS)))?;
    let demo = build::target_directory()?.join("debug/demo");
    cmd::run(cmd::at_root(demo).env("ENFORCER_BIN", binary))
}
