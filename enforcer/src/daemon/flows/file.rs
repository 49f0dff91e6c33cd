//! The file that keeps recorded flows from daemon to daemon: one JSON object a line.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, BufWriter, Write as _},
    path::Path,
};

use anyhow::Context as _;

use crate::control::FlowRecord;

/// What the file holds.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) flows: Vec<FlowRecord>,
    /// Lines that are no flows.
    pub(super) unreadable: u64,
}

pub(super) fn read(path: &Path) -> anyhow::Result<Kept> {
    let mut kept = Kept::default();
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(kept),
        file => file.with_context(|| format!("read {}", path.display()))?,
    };
    for line in BufReader::new(file).split(b'\n') {
        let line = line.with_context(|| format!("read {}", path.display()))?;
        match serde_json::from_slice(&line) {
            Ok(flow) => kept.flows.push(flow),
            Err(_) => kept.unreadable += 1,
        }
    }
    Ok(kept)
}

/// Replaces the file whole: whoever reads it sees the old one or the new one.
pub(super) fn write<'a>(
    path: &Path,
    flows: impl Iterator<Item = &'a FlowRecord>,
) -> anyhow::Result<()> {
    let fresh = path.with_extension("new");
    let write = || -> io::Result<()> {
        let mut out = BufWriter::new(File::create(&fresh)?);
        for flow in flows {
            serde_json::to_writer(&mut out, flow)?;
            out.write_all(b"\n")?;
        }
        out.into_inner().map_err(io::Error::from)?.sync_all()?;
        fs::rename(&fresh, path)
    };
    write().with_context(|| format!("write {}", path.display()))
}
