//! Servers that the sinks are tested against, below `target/receivers`: nothing of the machine's own
//! changes. Debian lets only one syslog server be installed at a time, so both are unpacked beside each
//! other. liblognorm comes with them: it reads lines of CEF.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::cmd;

/// The servers, and the libraries of theirs that a small installation lacks.
const PACKAGES: &[&str] = &[
    "libestr0",
    "libfastjson4",
    "libglib2.0-0",
    "libivykis0",
    "libjson-c5",
    "liblognorm-utils",
    "liblognorm5",
    "libnet1",
    "libpcre3",
    "libwrap0",
    "rsyslog",
    "rsyslog-gnutls",
    "syslog-ng-core",
];
/// What is there when all is.
const PROGRAMS: [&str; 3] = [
    "usr/sbin/rsyslogd",
    "usr/sbin/syslog-ng",
    "usr/bin/lognormalizer",
];
/// A collector of OpenTelemetry that comes as a Python package (Apache-2.0).
const ROTEL: &str = "rotel==0.0.1a15";

/// Puts the servers there, unless they are.
///
/// # Errors
/// This is no Debian, or a package cannot be fetched or unpacked.
pub(super) fn ensure() -> Result<()> {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| cmd::root().join("target"), PathBuf::from);
    let directory = target.join("receivers");
    syslog(&directory)?;
    collector(&directory)
}

fn collector(directory: &Path) -> Result<()> {
    let target = directory.join("rotel");
    if target.join("rotel/rotel-agent").exists() {
        return Ok(());
    }
    cmd::say(
        &format!("pip install {ROTEL}"),
        "sinks are tested against it",
    );
    // Debian's own Python has no pip, but its environments do.
    let environment = directory.join("pip");
    cmd::run(
        cmd::at_root("python3")
            .args(["-m", "venv"])
            .arg(&environment),
    )?;
    let mut install = cmd::at_root(environment.join("bin/pip"));
    install.args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
    ]);
    cmd::run(install.arg("--target").arg(&target).arg(ROTEL))?;
    Ok(fs::remove_dir_all(&environment)?)
}

fn syslog(directory: &Path) -> Result<()> {
    if PROGRAMS
        .iter()
        .all(|program| directory.join(program).exists())
    {
        return Ok(());
    }
    if cmd::find("apt-get").is_none() || cmd::find("dpkg").is_none() {
        bail!(
            "tests of sinks need rsyslogd, syslog-ng and lognormalizer below {}: unpack them there",
            directory.display()
        );
    }
    cmd::say(
        &format!(
            "unpack rsyslog, syslog-ng and liblognorm below {}",
            directory.display()
        ),
        "sinks are tested against them",
    );
    let packages = directory.join("packages");
    fs::create_dir_all(&packages).with_context(|| packages.display().to_string())?;
    let mut download = cmd::at_root("apt-get");
    download
        .current_dir(&packages)
        .args(["download", "--quiet=2"])
        .args(PACKAGES);
    cmd::run(&mut download)?;
    for package in fs::read_dir(&packages)? {
        let package = package?.path();
        cmd::run(
            cmd::at_root("dpkg")
                .arg("--extract")
                .arg(&package)
                .arg(directory),
        )?;
    }
    fs::remove_dir_all(&packages)?;
    Ok(())
}
