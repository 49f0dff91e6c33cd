//! What is deployed: manifests by the schemas of Kubernetes, the unit by systemd's own reading.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::{cmd, manifests};

const UNIT: &str = "deploy/systemd/enforcer.service";
/// Of 100, by `systemd-analyze security`: what a daemon that loads programs into the kernel cannot do
/// without leaves this much.
const MOST_EXPOSED: &str = "30";

/// Checks chart, manifests and unit.
///
/// # Errors
/// One is refused, or a tool cannot be installed.
pub(super) fn check() -> Result<()> {
    manifests::check()?;
    if cmd::find("systemd-analyze").is_none() {
        bail!("install what Debian calls systemd: systemd-analyze reads {UNIT}");
    }
    let text = fs::read_to_string(cmd::root().join(UNIT)).context(UNIT)?;
    verify(&text)
}

fn verify(unit: &str) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("enforcer.service");
    // The daemon need not be installed where its unit is checked.
    fs::write(&path, unit.replace("/usr/local/bin/enforcer", "/bin/true"))?;
    let analyze = |arguments: &[&str]| {
        let mut analyze = cmd::at_root("systemd-analyze");
        analyze.args(arguments).arg(&path);
        // A key that is unknown is a warning, and the status is still 0.
        let output = analyze.output().context("cannot start systemd-analyze")?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if !output.status.success() || !said.trim().is_empty() {
            let table = String::from_utf8_lossy(&output.stdout);
            bail!("{UNIT} is refused: {}\n{said}{table}", output.status);
        }
        Ok(())
    };
    analyze(&["verify", "--man=no"])?;
    let threshold = format!("--threshold={MOST_EXPOSED}");
    analyze(&["security", "--offline=true", "--no-pager", &threshold])
}

#[cfg(test)]
mod tests {
    use super::{UNIT, cmd, fs, verify};

    #[test]
    fn mistakes_in_the_unit_are_refused() {
        let sound = fs::read_to_string(cmd::root().join(UNIT)).unwrap();
        verify(&sound).unwrap();
        let misspelled = sound.replace("ProtectHome=", "ProtectHomes=");
        assert!(verify(&misspelled).is_err(), "a key that systemd ignores");
        let open = sound.replace("CapabilityBoundingSet=", "#");
        assert!(verify(&open).is_err(), "a unit with every capability");
    }
}
