//! Detection rules, by sigma-cli: somebody else's reading of the format.

use anyhow::Result;

use crate::{build, cmd};

const VERSION: &str = "3.1.0";

/// They download what they compare with: a check of the tree does not ask the network.
const ASK_THE_NETWORK: [&str; 2] = ["attacktag", "d3_fendtag"];

/// Installs sigma-cli into the target directory unless it is there, and runs it.
///
/// # Errors
/// It finds something, or cannot be installed.
pub(super) fn check() -> Result<()> {
    let venv = build::target_directory()?.join(format!("sigma-cli-{VERSION}"));
    let sigma = venv.join("bin/sigma");
    if !sigma.exists() {
        cmd::say(
            &format!("pip install sigma-cli {VERSION}"),
            "it reads detection rules",
        );
        cmd::run(cmd::at_root("python3").args(["-m", "venv"]).arg(&venv))?;
        let mut install = cmd::at_root(venv.join("bin/pip"));
        install.args(["install", "--quiet", "--disable-pip-version-check"]);
        cmd::run(install.arg(format!("sigma-cli=={VERSION}")))?;
    }
    let mut check = cmd::at_root(sigma);
    check.args(["check", "--fail-on-error", "--fail-on-issues"]);
    for validator in ASK_THE_NETWORK {
        check.args(["--exclude", validator]);
    }
    cmd::read(check.arg("deploy/sigma")).map(drop)
}
