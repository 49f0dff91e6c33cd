//! `screenshots`: the pictures of the documentation, drawn anew.

use anyhow::Result;

use crate::{cmd, setup};

/// Draws `docs/images`. Needs no root: what is shown is made up.
///
/// # Errors
/// It does not build, or a file cannot be written.
pub(crate) fn run() -> Result<()> {
    let toolchain = setup::run()?;
    cmd::say("screenshots", "docs/images, from the program's own drawing");
    let mut draw = cmd::cargo(&[
        "run",
        "--quiet",
        "-p",
        "enforcer",
        "--example",
        "screenshots",
    ]);
    cmd::run(toolchain.apply(draw.args(["--", "docs/images"])))
}
