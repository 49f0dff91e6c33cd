//! bpf-linker: makes one BPF object of what rustc writes.

use std::{
    borrow::Cow,
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use super::packages::{self, Brings, Package};
use crate::cmd;

/// The release that is installed when none fits.
const VERSION: &str = "0.13.0";
/// LLVM majors that this release can be built with.
const BUILDS_WITH: std::ops::RangeInclusive<u32> = 21..=23;

/// Finds a bpf-linker that can read what this rustc writes, or installs one. Returns its path where
/// the build script would take another.
///
/// # Errors
/// None fits and none can be installed; the message says what to do.
pub(super) fn ensure() -> Result<Option<PathBuf>> {
    let fitting = find_or_install()?;
    let is_taken = candidates().first() == Some(&fitting);
    Ok((!is_taken).then_some(fitting))
}

fn find_or_install() -> Result<PathBuf> {
    let version = cmd::read(cmd::at_root("rustc").arg("-vV"))?;
    let rustc_llvm = llvm_major(&version)
        .with_context(|| format!("`rustc -vV` does not name its LLVM:\n{version}"))?;
    for candidate in candidates() {
        match llvm_of(&candidate) {
            Some(llvm) if llvm >= rustc_llvm => return Ok(candidate),
            llvm => eprintln!(
                "note: {} has LLVM {} and cannot read what rustc writes with LLVM {rustc_llvm}",
                candidate.display(),
                llvm.map_or("of an unknown version".to_owned(), |llvm| llvm.to_string()),
            ),
        }
    }
    install(rustc_llvm)
}

/// Where the build script looks, in its order.
fn candidates() -> Vec<PathBuf> {
    let named = env::var_os("BPF_LINKER").map(PathBuf::from);
    let own = cmd::cargo_bin().join("bpf-linker");
    let mut candidates: Vec<_> = named
        .into_iter()
        .chain(cmd::find("bpf-linker"))
        .chain(own.is_file().then_some(own))
        .collect();
    candidates.dedup();
    candidates
}

/// The LLVM of a bpf-linker. Its own version does not tell; LLVM itself does when asked.
fn llvm_of(bpf_linker: &Path) -> Option<u32> {
    let mut ask = cmd::at_root(bpf_linker);
    ask.args(["--llvm-args=--version", "--target=bpfel-unknown-none"]);
    ask.args(["--output=/dev/null", "/dev/null"]);
    llvm_major(&cmd::read(&mut ask).ok()?)
}

/// The number after `LLVM version`, in the output of either program.
fn llvm_major(text: &str) -> Option<u32> {
    let (_, version) = text.split_once("LLVM version")?;
    let version = version.trim_start_matches([':', ' ']);
    let digits = version.find(|c: char| !c.is_ascii_digit())?;
    version[..digits].parse().ok()
}

fn install(llvm: u32) -> Result<PathBuf> {
    if !BUILDS_WITH.contains(&llvm) {
        bail!(
            "bpf-linker {VERSION} builds with LLVM {} to {}, and this rustc writes for LLVM {llvm}: \
             use another toolchain (rustup toolchain install 1.95), or name a fitting bpf-linker in \
             BPF_LINKER",
            BUILDS_WITH.start(),
            BUILDS_WITH.end(),
        );
    }
    let llvm_bin = llvm_development_files(llvm)?;
    cmd::say(
        &format!("cargo install bpf-linker {VERSION} (a minute or two)"),
        &format!("none here can read what rustc writes with LLVM {llvm}"),
    );
    let mut path = OsString::from(llvm_bin);
    path.push(":");
    path.push(env::var_os("PATH").unwrap_or_default());
    let features = format!("--features=llvm-{llvm}");
    let mut install = cmd::cargo_install("bpf-linker", VERSION);
    install.args(["--force", "--no-default-features", &features]);
    cmd::run(install.env("PATH", path))?;
    let installed = cmd::cargo_bin().join("bpf-linker");
    match llvm_of(&installed) {
        Some(found) if found >= llvm => Ok(installed),
        found => bail!(
            "{} was installed for LLVM {llvm} and reports {found:?}",
            installed.display()
        ),
    }
}

/// Installs LLVM's development files; returns the directory of their `llvm-config`.
fn llvm_development_files(llvm: u32) -> Result<String> {
    let file = |name: &str, path: String| Package {
        name: Cow::Owned(name.to_owned()),
        brings: Brings::File(path.into()),
        why: "bpf-linker is built with them",
    };
    let bin = format!("/usr/lib/llvm-{llvm}/bin");
    let polly = format!("/usr/lib/llvm-{llvm}/lib/libPolly.a");
    packages::ensure(&[
        file(&format!("llvm-{llvm}-dev"), format!("{bin}/llvm-config")),
        file(&format!("libpolly-{llvm}-dev"), polly),
        file("zlib1g-dev", "/usr/include/zlib.h".to_owned()),
        file("libzstd-dev", "/usr/include/zstd.h".to_owned()),
        file(
            "libxml2-dev",
            "/usr/include/libxml2/libxml/xmlversion.h".to_owned(),
        ),
        file("g++", "/usr/bin/g++".to_owned()),
    ])?;
    Ok(bin)
}

#[cfg(test)]
mod tests {
    use super::llvm_major;

    #[test]
    fn reads_the_llvm_of_both_programs() {
        assert_eq!(
            llvm_major("release: 1.95.0\nLLVM version: 22.1.2\n"),
            Some(22)
        );
        let linker = "Debian LLVM version 22.1.8\n  Optimized build.\n";
        assert_eq!(llvm_major(linker), Some(22));
        assert_eq!(llvm_major("LLVM version 9.0.1"), Some(9));
        assert_eq!(llvm_major("bpf-linker 0.13.0"), None);
    }
}
