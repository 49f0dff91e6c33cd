//! What a node counts, records and traces.

use std::time::Duration;

use super::Node;
use crate::{
    control::DecisionStatus,
    daemon::flows::{self, Recording},
    kernel::{Build, KernelError, Traces},
};

impl Node {
    /// Credits what was decided so far to the rules of the image in force.
    pub(super) fn settle(&mut self) -> Result<(), KernelError> {
        let image = self.loaded.as_ref().map(|loaded| &loaded.image);
        let counted = self.enforcement.decisions(self.ledger.rules(image))?;
        self.ledger.credit(&counted, image);
        Ok(())
    }

    /// What each rule decided, those of earlier images included.
    ///
    /// # Errors
    /// The counters cannot be read.
    pub fn decisions(&mut self) -> Result<Vec<DecisionStatus>, KernelError> {
        self.settle()?;
        Ok(self.ledger.decisions())
    }

    /// How long the last change took to be in force.
    #[must_use]
    pub fn apply_time(&self) -> Option<Duration> {
        self.apply_time
    }

    /// Which flows are recorded, and where they are kept.
    #[must_use]
    pub fn recording(&self) -> Recording {
        Recording {
            passing: self.settings.programs == Build::Recording,
            keep: self.settings.keep_flows.map_or(flows::KEEP, |keep| keep.0),
            most: self.settings.most_flows.unwrap_or(flows::MOST),
            file: self.state.join("flows.ndjson"),
        }
    }

    /// What the kernel programs log, if those that do were asked for.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn traces(&self) -> Result<Option<Traces>, KernelError> {
        match self.settings.programs {
            Build::Plain | Build::Recording | Build::Command { .. } => Ok(None),
            Build::Traced => self.enforcement.traces().map(Some),
        }
    }
}
