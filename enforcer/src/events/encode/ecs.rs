//! Elastic Common Schema: one JSON object a line, own fields under `enforcer`.
//!
//! `docs/events.md` lists every field. Names and order are an interface: add, never rename.

use super::line;
use crate::events::record::{Observer, Record, Severity};

mod daemon;
mod document;
mod violation;

use document::{Agent, Document, Host};

/// Version of the schema whose field names are used.
pub const ECS_VERSION: &str = "9.0.0";

/// Encodes records of one run.
#[derive(Clone, Debug)]
pub struct Encoder {
    observer: Observer,
}

/// A record that cannot be JSON. No record of this version is one.
#[derive(Debug, thiserror::Error)]
#[error("encode record {sequence}: {source}")]
pub struct EncodeError {
    sequence: u64,
    source: serde_json::Error,
}

impl Encoder {
    /// An encoder that signs as `observer`.
    #[must_use]
    pub fn new(observer: Observer) -> Self {
        Self { observer }
    }

    /// Appends the record as one line, line feed included.
    ///
    /// # Errors
    /// The record cannot be JSON; nothing is appended then.
    pub fn encode(
        &self,
        record: &Record,
        sequence: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let host = Host {
            name: &self.observer.host,
        };
        let agent = Agent::new(&self.observer);
        let document: Document<'_> = match record {
            Record::Violation(violation) => violation::document(violation, sequence, agent, host),
            Record::Daemon(at, event) => daemon::document(*at, event, sequence, agent, host),
        };
        line::append(&document, out).map_err(|source| EncodeError { sequence, source })
    }
}

/// The scale of Elastic's detection rules (0 to 100).
fn severity(severity: Severity) -> u8 {
    match severity {
        Severity::Informational => 0,
        Severity::Low => 21,
        Severity::Medium => 47,
        Severity::High => 73,
    }
}

#[cfg(test)]
mod tests;
