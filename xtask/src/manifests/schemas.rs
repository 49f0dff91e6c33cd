//! The schemas of Kubernetes, by kubernetes-validate: somebody else's reading of them.

use std::{fs, path::PathBuf};

use anyhow::Result;

use crate::{build, cmd};

const VERSION: &str = "1.37.0";

/// Refuses documents that an API server of this version would not take, and fields that it would drop.
///
/// # Errors
/// The first such document; or kubernetes-validate cannot be installed.
pub(super) fn validate(manifests: &str, version: &str) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("manifests.yaml");
    fs::write(&path, manifests)?;
    let mut validate = cmd::at_root(tool()?);
    validate.args(["--quiet", "--strict", "--kubernetes-version", version]);
    cmd::read(validate.arg(path)).map(drop)
}

fn tool() -> Result<PathBuf> {
    let venv = build::target_directory()?.join(format!("kubernetes-validate-{VERSION}"));
    let tool = venv.join("bin/kubernetes-validate");
    if !tool.exists() {
        cmd::say(
            &format!("pip install kubernetes-validate {VERSION}"),
            "it reads manifests by the schemas of Kubernetes",
        );
        cmd::run(cmd::at_root("python3").args(["-m", "venv"]).arg(&venv))?;
        let mut install = cmd::at_root(venv.join("bin/pip"));
        install.args(["install", "--quiet", "--disable-pip-version-check"]);
        cmd::run(install.arg(format!("kubernetes-validate=={VERSION}")))?;
    }
    Ok(tool)
}
