//! What was pushed, when and by whom: files of the state directory, one for each revision.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::state_file;
use crate::{
    control::{Author, Revision},
    policy::{Bundle, BundleFile, Contents, Documents},
};

/// How many are kept.
const KEPT: u64 = 256;

/// Revisions of an instance. The last one is in force.
#[derive(Debug)]
pub struct Revisions {
    directory: PathBuf,
    current: Option<Revision>,
    in_force: Contents,
}

/// A revision as it is written.
#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(flatten)]
    revision: Revision,
    files: Vec<BundleFile>,
}

impl Revisions {
    /// Reads the last revision below `state`.
    ///
    /// # Errors
    /// It cannot be read, or is not what was written: nothing else is put in its place.
    pub fn open(state: &Path) -> anyhow::Result<Self> {
        let directory = state.join("revisions");
        fs::create_dir_all(&directory).with_context(|| format!("make {}", directory.display()))?;
        let mut revisions = Self {
            directory,
            current: None,
            in_force: Contents::default(),
        };
        if let Some(&last) = revisions.numbers()?.last() {
            let (revision, bundle) = revisions.get(last)?;
            revisions.current = Some(revision);
            revisions.in_force = bundle.into();
        }
        Ok(revisions)
    }

    /// What is in force.
    #[must_use]
    pub fn current(&self) -> Option<&Revision> {
        self.current.as_ref()
    }

    /// The files in force; none when nothing was ever pushed.
    #[must_use]
    pub fn bundle(&self) -> &Bundle {
        &self.in_force.bundle
    }

    /// The documents in force.
    #[must_use]
    pub fn documents(&self) -> &Documents {
        &self.in_force.documents
    }

    /// All that are kept, the oldest first.
    ///
    /// # Errors
    /// One cannot be read.
    pub fn all(&self) -> anyhow::Result<Vec<Revision>> {
        let numbers = self.numbers()?.into_iter();
        numbers.map(|number| Ok(self.get(number)?.0)).collect()
    }

    /// One of them.
    ///
    /// # Errors
    /// It is not there, or not what was written.
    pub fn get(&self, number: u64) -> anyhow::Result<(Revision, Bundle)> {
        let path = self.path(number);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!(
                "there is no revision {number}: `enforcer policy history` lists those that are kept"
            ),
            Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
        };
        let damaged = || {
            format!(
                "{} is damaged: remove it to go back to the revision before it",
                path.display()
            )
        };
        let stored: Stored = serde_json::from_slice(&bytes).with_context(damaged)?;
        let bundle = Bundle {
            files: stored.files,
        };
        if bundle.digest() != stored.revision.sha256 {
            bail!(damaged());
        }
        Ok((stored.revision, bundle))
    }

    /// Writes the next one, which is not yet [`current`](Self::current).
    ///
    /// # Errors
    /// The disk is full.
    pub fn write(
        &self,
        contents: &Contents,
        author: Author,
        restores: Option<u64>,
    ) -> anyhow::Result<Revision> {
        let Contents { bundle, documents } = contents;
        let parent = self.current.as_ref().map(|revision| revision.number);
        let revision = Revision {
            number: parent.unwrap_or(0) + 1,
            parent,
            restores,
            at: Timestamp::now().to_string(),
            author,
            sha256: bundle.digest(),
            documents: documents
                .keys()
                .map(|id| format!("{}/{}", id.kind, id.name))
                .collect(),
        };
        let stored = Stored {
            revision: revision.clone(),
            files: bundle.files.clone(),
        };
        let path = self.path(revision.number);
        state_file::write(&path, &serde_json::to_vec(&stored)?)
            .with_context(|| format!("write {}", path.display()))?;
        Ok(revision)
    }

    /// Takes back what [`write`](Self::write) wrote and nothing could be made of.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn take_back(&self, revision: &Revision) -> anyhow::Result<()> {
        let path = self.path(revision.number);
        fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))
    }

    /// Makes a written one the current one, and removes those that are too old to be kept.
    ///
    /// # Errors
    /// An old one cannot be removed.
    pub fn advance(&mut self, revision: Revision, contents: Contents) -> anyhow::Result<()> {
        let oldest = (revision.number + 1).saturating_sub(KEPT);
        self.current = Some(revision);
        self.in_force = contents;
        for number in self
            .numbers()?
            .into_iter()
            .filter(|&number| number < oldest)
        {
            let path = self.path(number);
            fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?;
        }
        Ok(())
    }

    fn path(&self, number: u64) -> PathBuf {
        self.directory.join(format!("{number:08}.json"))
    }

    /// Numbers of those on disk, ascending.
    fn numbers(&self) -> anyhow::Result<Vec<u64>> {
        let list = || format!("list {}", self.directory.display());
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.directory).with_context(list)? {
            let name = entry.with_context(list)?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".json"));
            numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(text: &str) -> Bundle {
        Bundle {
            files: vec![BundleFile {
                path: "a.yaml".to_owned(),
                text: text.to_owned(),
            }],
        }
    }

    fn author() -> Author {
        Author {
            uid: 0,
            user: Some("root".to_owned()),
            login_uid: Some(1000),
            pid: Some(1),
            command: Some("enforcer".to_owned()),
        }
    }

    fn push(revisions: &mut Revisions, text: &str) {
        let contents = bundle(text).into();
        let revision = revisions.write(&contents, author(), None).expect("written");
        revisions.advance(revision, contents).expect("kept");
    }

    #[test]
    fn they_are_there_after_a_restart() {
        let state = tempfile::tempdir().expect("a directory");
        let mut revisions = Revisions::open(state.path()).expect("empty");
        assert_eq!(revisions.current(), None);
        push(&mut revisions, "one");
        push(&mut revisions, "two");
        let again = Revisions::open(state.path()).expect("two");
        assert_eq!(again.current(), revisions.current());
        assert_eq!(again.bundle(), &bundle("two"));
        let all = again.all().expect("readable");
        let chain: Vec<_> = all.iter().map(|it| (it.number, it.parent)).collect();
        assert_eq!(chain, [(1, None), (2, Some(1))]);
        assert_eq!(again.get(1).expect("kept").1, bundle("one"));
    }

    #[test]
    fn only_so_many_are_kept() {
        let state = tempfile::tempdir().expect("a directory");
        let mut revisions = Revisions::open(state.path()).expect("empty");
        for number in 0..KEPT + 3 {
            push(&mut revisions, &number.to_string());
        }
        let numbers = revisions.numbers().expect("listed");
        assert_eq!((numbers.len() as u64, numbers[0]), (KEPT, 4));
        let error = revisions.get(1).expect_err("gone").to_string();
        assert!(error.contains("no revision 1"), "{error}");
    }

    #[test]
    fn a_damaged_one_is_not_put_into_force() {
        let state = tempfile::tempdir().expect("a directory");
        let mut revisions = Revisions::open(state.path()).expect("empty");
        push(&mut revisions, "one");
        let path = revisions.path(1);
        let text = fs::read_to_string(&path).expect("a file");
        for damaged in [text.replace("one", "two"), text[..40].to_owned()] {
            fs::write(&path, damaged).expect("written");
            let error = Revisions::open(state.path()).expect_err("damaged");
            assert!(error.to_string().contains("is damaged"), "{error:#}");
        }
    }
}
