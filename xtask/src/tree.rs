//! The files under version control.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::cmd;

/// A text file of the repository.
pub(crate) struct File {
    /// Below the root of the repository.
    pub(crate) path: PathBuf,
    /// All of it.
    pub(crate) text: String,
}

impl File {
    /// Whether the file is `place`, or the file or directory of the module `place`.
    pub(crate) fn is_in(&self, place: &str) -> bool {
        self.path.starts_with(place) || self.path.with_extension("") == Path::new(place)
    }
}

/// Tracked files, and new ones that are not ignored: what a commit of everything would have.
/// Binary files are left out.
///
/// # Errors
/// Git fails, or a file cannot be read.
pub(crate) fn files() -> Result<Vec<File>> {
    let mut list = cmd::at_root("git");
    list.args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let mut files = Vec::new();
    for name in cmd::read(&mut list)?.split_terminator('\0') {
        let path = cmd::root().join(name);
        // A link is judged where it points to; a deleted file is still listed.
        if !path.is_file() || path.is_symlink() {
            continue;
        }
        let bytes = fs::read(&path).with_context(|| format!("read {name}"))?;
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(File {
                path: name.into(),
                text,
            });
        }
    }
    Ok(files)
}

/// [`files`] of Rust.
///
/// # Errors
/// As [`files`].
pub(crate) fn rust_files() -> Result<Vec<File>> {
    let mut files = files()?;
    files.retain(|file| {
        file.path
            .extension()
            .is_some_and(|extension| extension == "rs")
    });
    Ok(files)
}
