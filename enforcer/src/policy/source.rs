//! Policy files: finding them, reading them, places in them.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    diagnostic::{Code, Diagnostic, Diagnostics},
    model::Position,
};

mod tree;

pub(super) use tree::{Entry, Node, Value, parse};

/// Largest policy file, in bytes. 100 000 CIDRs take about 2.5 MB.
const MAX_FILE: usize = 16 << 20;

/// Deepest nesting of directories below one that was given.
const MAX_DIRECTORY_DEPTH: usize = 16;

/// A range of bytes of a [`Source`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// One file in memory.
#[derive(Debug)]
pub(super) struct Source {
    path: Arc<Path>,
    text: String,
    /// Offset of the first byte of each line.
    lines: Vec<usize>,
    ascii: bool,
}

impl Source {
    pub(super) fn new(path: &Path, text: String) -> Arc<Self> {
        let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(breaks).collect();
        Arc::new(Self {
            path: path.into(),
            ascii: text.is_ascii(),
            text,
            lines,
        })
    }

    pub(super) fn path(&self) -> &Arc<Path> {
        &self.path
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn position(&self, offset: usize) -> Position {
        let line = self.line_index(offset);
        // Counting is linear, and a generated file may have everything on one line.
        let column = if self.ascii {
            offset - self.lines[line]
        } else {
            self.text[self.lines[line]..offset].chars().count()
        };
        Position {
            file: Arc::clone(&self.path),
            line: count(line) + 1,
            column: count(column) + 1,
        }
    }

    /// The offset of a place in this file; `None` when the file has no such line.
    pub(super) fn offset(&self, position: &Position) -> Option<usize> {
        let line = (position.line as usize).checked_sub(1)?;
        let start = *self.lines.get(line)?;
        let (_, text) = self.line(start);
        let column = (position.column as usize).checked_sub(1)?;
        let before = text.char_indices().nth(column);
        Some(start + before.map_or(text.len(), |(offset, _)| offset))
    }

    /// The line that holds `offset`, without its end, and the offset it starts at.
    pub(super) fn line(&self, offset: usize) -> (usize, &str) {
        let line = self.line_index(offset);
        let start = self.lines[line];
        let end = self
            .lines
            .get(line + 1)
            .map_or(self.text.len(), |next| next - 1);
        (start, self.text[start..end].trim_end_matches('\r'))
    }

    fn line_index(&self, offset: usize) -> usize {
        self.lines.partition_point(|&start| start <= offset) - 1
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Reads every file of `paths`. Directories are read recursively in the order of names, `*.yaml`
/// and `*.yml` only, without hidden entries: a mounted Kubernetes ConfigMap keeps its older
/// contents in those. A file that is reached twice is read once, in the first group that has it.
pub(super) fn collect<const GROUPS: usize>(
    groups: [&[PathBuf]; GROUPS],
    diagnostics: &mut Diagnostics,
) -> [Vec<Arc<Source>>; GROUPS] {
    let mut walk = Walk {
        seen: HashSet::new(),
        sources: Vec::new(),
        diagnostics,
    };
    groups.map(|paths| {
        for path in paths {
            walk.path(path);
        }
        std::mem::take(&mut walk.sources)
    })
}

struct Walk<'d> {
    seen: HashSet<PathBuf>,
    sources: Vec<Arc<Source>>,
    diagnostics: &'d mut Diagnostics,
}

impl Walk<'_> {
    fn path(&mut self, path: &Path) {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                let visited = self.seen.len();
                let before = self.sources.len() + self.diagnostics.len();
                self.directory(path, MAX_DIRECTORY_DEPTH);
                let found = self.sources.len() + self.diagnostics.len() - before;
                if found == 0 && self.seen.len() > visited {
                    let message = "no `*.yaml` or `*.yml` file in this directory";
                    let warning = Diagnostic::of_file(Code::EmptyDirectory, path, message);
                    self.diagnostics.push(warning);
                }
            }
            Ok(_) => self.file(path),
            Err(error) => self.unreadable(path, &error),
        }
    }

    fn directory(&mut self, directory: &Path, depth: usize) {
        if !self.first_visit(directory) {
            return;
        }
        let listed = fs::read_dir(directory)
            .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
        let mut entries: Vec<PathBuf> = match listed {
            Ok(entries) => entries,
            Err(error) => return self.unreadable(directory, &error),
        };
        entries.sort();
        for path in entries.into_iter().filter(|path| !is_hidden(path)) {
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_dir() && depth == 0 => {
                    self.unreadable(&path, &io::Error::other("directories nest too deeply"));
                }
                Ok(metadata) if metadata.is_dir() => self.directory(&path, depth - 1),
                Ok(metadata) if metadata.is_file() && is_yaml(&path) => self.file(&path),
                Ok(_) => {}
                Err(error) if is_yaml(&path) => self.unreadable(&path, &error),
                Err(_) => {}
            }
        }
    }

    fn file(&mut self, path: &Path) {
        if !self.first_visit(path) {
            return;
        }
        match read(path) {
            Ok(text) => self.sources.push(Source::new(path, text)),
            Err(ReadError::Io(error)) => self.unreadable(path, &error),
            Err(ReadError::TooLarge) => {
                let message = format!("file is larger than {} MiB", MAX_FILE >> 20);
                let error = Diagnostic::of_file(Code::TooLarge, path, message)
                    .with_help("split it: several files can hold the policies of one node");
                self.diagnostics.push(error);
            }
            Err(ReadError::NotUtf8(before)) => {
                let end = before.len();
                let source = Source::new(path, before);
                let span = Span { start: end, end };
                let message = "not UTF-8: what comes here is not text";
                let error = Diagnostic::at(Code::NotUtf8, &source, span, message)
                    .with_help("save the file as UTF-8");
                self.diagnostics.push(error);
            }
        }
    }

    /// Whether `path`, however it is spelled, was not visited before.
    fn first_visit(&mut self, path: &Path) -> bool {
        let canonical = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        self.seen.insert(canonical)
    }

    fn unreadable(&mut self, path: &Path, error: &io::Error) {
        let message = format!("cannot be read: {error}");
        self.diagnostics
            .push(Diagnostic::of_file(Code::Unreadable, path, message));
    }
}

enum ReadError {
    Io(io::Error),
    TooLarge,
    /// With the text before the first byte that is none.
    NotUtf8(String),
}

fn read(path: &Path) -> Result<String, ReadError> {
    let mut bytes = Vec::new();
    // One byte more than allowed tells a large file from an endless one, such as a device.
    File::open(path)
        .and_then(|file| file.take(MAX_FILE as u64 + 1).read_to_end(&mut bytes))
        .map_err(ReadError::Io)?;
    if bytes.len() > MAX_FILE {
        return Err(ReadError::TooLarge);
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        ReadError::NotUtf8(String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned())
    })?;
    match text.strip_prefix('\u{feff}') {
        Some(text) => Ok(text.to_owned()),
        None => Ok(text),
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn is_yaml(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "yaml" || extension == "yml")
}
