//! docs/performance.md.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use crate::outcome::Outcome;

/// Writes it from the last result.
///
/// # Errors
/// There is no result.
pub(crate) fn write(target: &Path) -> Result<()> {
    let path = target.join("bench/result.json");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let _outcome: Outcome = serde_json::from_str(&text)?;
    Ok(())
}
