//! Recorded flows from a file.

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use serde::Deserialize as _;
use serde_json::{Deserializer, Value};

use crate::control::FlowRecord;

/// The file holds no flows.
#[derive(Debug, thiserror::Error)]
pub enum FlowsError {
    /// It cannot be read.
    #[error("read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is not what `enforcer flows --json` writes.
    #[error(
        "{}: value {number}: no recorded flow; give what `enforcer flows --json` writes, an array of \
         flows, or one flow a line",
        path.display()
    )]
    NotFlows {
        /// The file.
        path: PathBuf,
        /// Which of the file's JSON values; the first is 1.
        number: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// Reads flows as `enforcer flows --json` writes them, an array of them, or one flow a line. `-` is
/// standard input.
///
/// # Errors
/// The file cannot be read, or holds something else.
pub fn read(path: &Path) -> Result<Vec<FlowRecord>, FlowsError> {
    let text = text(path).map_err(|source| FlowsError::Unreadable {
        path: path.into(),
        source,
    })?;
    let mut flows = Vec::new();
    let values = Deserializer::from_slice(&text).into_iter::<Value>();
    for (before, value) in values.enumerate() {
        let read = value.and_then(|value| of_value(value, &mut flows));
        read.map_err(|source| FlowsError::NotFlows {
            path: path.into(),
            number: before + 1,
            source,
        })?;
    }
    Ok(flows)
}

fn text(path: &Path) -> io::Result<Vec<u8>> {
    if path.as_os_str() != "-" {
        return fs::read(path);
    }
    let mut text = Vec::new();
    io::stdin().lock().read_to_end(&mut text)?;
    Ok(text)
}

fn of_value(mut value: Value, flows: &mut Vec<FlowRecord>) -> serde_json::Result<()> {
    let listed = value.get_mut("flows").map(Value::take);
    match listed.unwrap_or(value) {
        Value::Array(records) => {
            for record in records {
                flows.push(FlowRecord::deserialize(record)?);
            }
        }
        record @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Object(_)) => flows.push(FlowRecord::deserialize(record)?),
    }
    Ok(())
}
