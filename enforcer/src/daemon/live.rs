//! Events as they happen, for whoever watches.

use hyper::body::Bytes;
use tokio::sync::broadcast;

use crate::events::{Observer, Record, encode::ecs};

/// How many events a watcher may fall behind by. The oldest go first, and it is told how many.
const BEHIND: usize = 4096;

/// Tells every watcher what the sinks are told.
pub(super) struct Live {
    encoder: ecs::Encoder,
    watchers: broadcast::Sender<Bytes>,
}

impl Live {
    /// One that nobody watches yet.
    pub(super) fn new(observer: &Observer) -> Self {
        Self {
            encoder: ecs::Encoder::new(observer),
            watchers: broadcast::Sender::new(BEHIND),
        }
    }

    /// Tells a record with its number. Costs nothing while nobody watches.
    pub(super) fn tell(&mut self, record: &Record, sequence: u64) {
        if self.watchers.receiver_count() == 0 {
            return;
        }
        let mut line = Vec::new();
        self.encoder.encode(record, sequence, &mut line);
        // Watchers may all leave meanwhile.
        let _ = self.watchers.send(line.into());
    }

    /// Lets every watcher read what it was told, and no more.
    pub(super) fn end(&mut self) {
        self.watchers = broadcast::Sender::new(BEHIND);
    }

    /// A new watcher.
    pub(super) fn watch(&self) -> broadcast::Receiver<Bytes> {
        self.watchers.subscribe()
    }
}
