//! Licences and sources of dependencies, by cargo-deny and `deny.toml`.

use anyhow::Result;

use crate::cmd;

const VERSION: &str = "0.20.2";

/// Installs cargo-deny unless it is there, and runs it.
///
/// Advisories are not asked for here: their database changes without the tree changing.
///
/// # Errors
/// It finds something, or cannot be installed.
pub(super) fn check() -> Result<()> {
    if cmd::find("cargo-deny").is_none() {
        cmd::say(
            &format!("cargo install cargo-deny {VERSION} (a few minutes, once)"),
            "it reads licences and sources of all dependencies",
        );
        // Unoptimised it builds in a third of the time and still checks within a second.
        let mut install = cmd::cargo_install("cargo-deny", VERSION);
        cmd::run(install.arg("--debug").env("CARGO_PROFILE_DEV_DEBUG", "0"))?;
    }
    let mut deny = cmd::cargo(&["deny", "--log-level=error", "--locked", "check"]);
    cmd::run(deny.args(["--hide-inclusion-graph", "licenses", "bans", "sources"]))
}
