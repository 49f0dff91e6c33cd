//! Syslog servers that the sinks are tested against. Debian lets only one be installed at a time, so
//! both are unpacked beside each other, and nothing of the machine's own changes. liblognorm comes with
//! them: it reads lines of CEF.

use std::{fs, path::PathBuf};

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

/// Unpacks the servers below `target/receivers`, unless they are there.
///
/// # Errors
/// This is no Debian, or a package cannot be fetched or unpacked.
pub(super) fn ensure() -> Result<()> {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| cmd::root().join("target"), PathBuf::from);
    let directory = target.join("receivers");
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
                .arg(&directory),
        )?;
    }
    fs::remove_dir_all(&packages)?;
    Ok(())
}
