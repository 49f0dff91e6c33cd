//! Debian's package of the database: fetching it and taking it apart.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

const PACKAGE: &str = "libloc-database";
const SOURCE: &str = "deb http://deb.debian.org/debian sid main\n";

/// What is needed of the package.
pub(super) struct Content {
    /// `location.db`.
    pub(super) database: Vec<u8>,
    /// The licence as Debian ships it.
    pub(super) licence: Vec<u8>,
}

/// Downloads the newest package of Debian sid into `scratch`.
///
/// Source and lists are kept apart from those of the machine, whose keyring proves the signature.
pub(super) fn fetch(scratch: &Path) -> Result<PathBuf> {
    let sources = scratch.join("sid.list");
    let lists = scratch.join("lists");
    fs::write(&sources, SOURCE)?;
    fs::create_dir_all(lists.join("partial"))?;
    // apt fetches as a user of its own, which must reach the lists.
    let options = [
        format!("Dir::Etc::SourceList={}", sources.display()),
        "Dir::Etc::SourceParts=/dev/null".to_owned(),
        format!("Dir::State::Lists={}", lists.display()),
        "Dir::Cache::pkgcache=".to_owned(),
        "Dir::Cache::srcpkgcache=".to_owned(),
        "APT::Sandbox::User=root".to_owned(),
    ];
    let apt = |verb: &[&str]| {
        let mut command = Command::new("apt-get");
        command.current_dir(scratch).arg("-q");
        for option in &options {
            command.args(["-o", option]);
        }
        command.args(verb);
        succeed(&mut command)
    };
    apt(&["update"])?;
    apt(&["download", PACKAGE])?;
    let downloaded = fs::read_dir(scratch)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"));
    downloaded.context("apt-get download left no package")
}

/// Reads the wanted files out of `package`.
pub(super) fn unpack(package: &Path, scratch: &Path) -> Result<Content> {
    let tree = scratch.join("content");
    succeed(
        Command::new("dpkg-deb")
            .arg("--extract")
            .args([package, &tree]),
    )?;
    let read = |path: &str| {
        fs::read(tree.join(path)).with_context(|| format!("{} has no {path}", package.display()))
    };
    Ok(Content {
        database: read("usr/share/libloc-location/location.db")?,
        licence: read("usr/share/doc/libloc-database/copyright")?,
    })
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot run {}", command.get_program().to_string_lossy()))?;
    ensure!(status.success(), "{command:?} failed: {status}");
    Ok(())
}
