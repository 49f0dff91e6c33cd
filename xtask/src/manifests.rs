//! `manifests`: plain manifests from the chart, for those who do not use Helm.
//!
//! The chart is the source. What Helm makes of it is kept in the repository, and `check deploy` compares.

mod helm;
mod schemas;

use std::fs;

use anyhow::{Context, Result, bail};

use crate::cmd;

/// Where the rendered chart is kept.
const RENDERED: &str = "deploy/kubernetes/enforcer.yaml";
const HEADER: &str =
    "# Rendered from deploy/helm/enforcer by `cargo xtask manifests`: change that.\n";

/// What the chart is rendered with before it is held against the schemas: as it comes, and all of it.
const VARIANTS: [&[&str]; 2] = [
    &[],
    &[
        "cluster=true",
        "metrics=127.0.0.1:9464",
        "policies.laboratory\\.yaml=kind: EgressPolicy",
        "extraSettings=record-flows = true",
        "extraCapabilities={SYS_RESOURCE}",
        "seLinuxOptions.type=spc_t",
        "imagePullSecrets[0].name=registry",
        "podAnnotations.a=b",
        "podLabels.a=b",
        "extraVolumes[0].name=roots",
        "extraVolumes[0].secret.secretName=roots",
        "extraVolumeMounts[0].name=roots",
        "extraVolumeMounts[0].mountPath=/etc/enforcer/roots",
    ],
];

/// The oldest version of Kubernetes that the chart asks for, and the newest with schemas.
const VERSIONS: [&str; 2] = ["1.30", "1.37"];

/// Writes the plain manifests.
///
/// # Errors
/// Helm cannot be installed, or refuses the chart.
pub(crate) fn run() -> Result<()> {
    fs::write(cmd::root().join(RENDERED), rendered()?)?;
    cmd::say(RENDERED, "is what Helm makes of the chart");
    Ok(())
}

/// Compares the plain manifests with the chart, and holds both against the schemas of Kubernetes.
///
/// # Errors
/// They differ, or are refused; or a tool cannot be installed.
pub(crate) fn check() -> Result<()> {
    helm::lint()?;
    let kept = fs::read_to_string(cmd::root().join(RENDERED)).context(RENDERED)?;
    if kept != rendered()? {
        bail!("{RENDERED} is not what Helm makes of the chart: run `cargo xtask manifests`");
    }
    for version in VERSIONS {
        for values in VARIANTS {
            schemas::validate(&helm::template(values)?, version)
                .with_context(|| format!("the chart with {values:?}"))?;
        }
        for file in fs::read_dir(cmd::root().join("deploy/kubernetes"))? {
            let path = file?.path();
            let text = fs::read_to_string(&path)?;
            schemas::validate(&text, version).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}

fn rendered() -> Result<String> {
    Ok(format!("{HEADER}{}", helm::template(&[])?))
}

#[cfg(test)]
mod tests {
    use super::{VERSIONS, helm, schemas};

    #[test]
    fn mistakes_in_manifests_are_refused() {
        let sound = helm::template(&[]).unwrap();
        schemas::validate(&sound, VERSIONS[0]).unwrap();
        for (good, bad) in [
            ("hostPID: true", "hostPid: true"),
            (
                "readOnlyRootFilesystem: true",
                "readOnlyRootFilesystem: yes please",
            ),
            ("type: Directory}", "kind: Directory}"),
            ("maxUnavailable: 1", "maxUnavailable: [1]"),
        ] {
            assert!(sound.contains(good), "{good}");
            let error = schemas::validate(&sound.replace(good, bad), VERSIONS[0]);
            assert!(error.is_err(), "{bad} is taken");
        }
    }

    #[test]
    fn mistakes_in_values_are_refused() {
        for mistake in [
            "unknown=maybe",
            "cgroupRoots={/}",
            "cgroupRoots={}",
            "criSocket=containerd.sock",
            "polices.a=b",
            "image.digest=sha256:abc",
        ] {
            assert!(helm::template(&[mistake]).is_err(), "{mistake} is taken");
        }
    }
}
