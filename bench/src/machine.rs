//! Where and when.

use std::{fs, thread};

use anyhow::Result;
use serde::{Deserialize, Serialize};

/// The machine that was measured on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cpus: usize,
    pub(crate) kernel: String,
    /// Day, UTC.
    pub(crate) date: String,
    /// Of the last minute before the bench: what else ran.
    pub(crate) load: f64,
}

impl Machine {
    /// This one, now.
    ///
    /// # Errors
    /// Without `/proc`.
    pub(crate) fn here() -> Result<Self> {
        let processors = fs::read_to_string("/proc/cpuinfo")?;
        let field = |name: &str| {
            let line = processors.lines().find(|line| line.starts_with(name))?;
            line.split_once(": ").map(|(_, value)| value.to_owned())
        };
        let unknown = || "unknown".to_owned();
        let processor = format!(
            "{} (family {}, model {})",
            field("model name").unwrap_or_else(unknown),
            field("cpu family").unwrap_or_else(unknown),
            field("model\t\t").unwrap_or_else(unknown)
        );
        let load = fs::read_to_string("/proc/loadavg")?;
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
        let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
        Ok(Self {
            processor,
            cpus: thread::available_parallelism()?.into(),
            // The version alone: the rest names a build of somebody's.
            kernel: kernel
                .trim()
                .split('-')
                .next()
                .unwrap_or_default()
                .to_owned(),
            date: today.date().to_string(),
            load: load
                .split(' ')
                .next()
                .and_then(|load| load.parse().ok())
                .unwrap_or_default(),
        })
    }
}
