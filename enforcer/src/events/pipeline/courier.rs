//! The thread that delivers the records of one sink.

use std::{collections::VecDeque, io, sync::Arc, thread, time::Duration};

use super::health::Shared;
use crate::events::{
    batch::{Batch, Place},
    queue::{Next, Queue},
    sinks::{Settled, Sink, SinkError, Stopped},
};

/// Most bytes that are offered to a sink at once.
const MOST_BYTES: usize = 1 << 20;
/// How long a thread sleeps when there is nothing to do.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a sink is asked for what is not settled.
const SETTLING: Duration = Duration::from_millis(50);
/// Pauses between attempts: doubled from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(30);
/// A receiver may ask for a longer one.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

pub(super) struct Courier {
    queue: Arc<Queue>,
    shared: Arc<Shared>,
    sink: Box<dyn Sink>,
    /// The first place that was not sent.
    next: Place,
    /// What was sent and is not settled.
    unsettled: VecDeque<Sent>,
    pause: Duration,
}

/// Records that were sent together.
struct Sent {
    last: Place,
    /// Of these, how many will be delivered once they are settled.
    taken: u64,
    /// And how many the receiver will not take.
    refused: u64,
}

impl Courier {
    /// Starts the thread. It ends when the queue is closed and empty, or at the first failure after
    /// it is closed.
    pub(super) fn start(
        name: &str,
        queue: Arc<Queue>,
        shared: Arc<Shared>,
        sink: Box<dyn Sink>,
    ) -> io::Result<()> {
        let courier = Self {
            next: queue.rewind(),
            queue,
            shared,
            sink,
            unsettled: VecDeque::new(),
            pause: FIRST_PAUSE,
        };
        // The kernel shows 15 bytes.
        let name: String = name.chars().take(15).collect();
        thread::Builder::new()
            .name(name)
            .spawn(move || courier.run())?;
        Ok(())
    }

    fn run(mut self) {
        loop {
            if self.queue.asked_to_reopen()
                && let Err(error) = self.sink.reopen()
            {
                self.shared.failed(&error);
            }
            let patience = if self.unsettled.is_empty() {
                PATIENCE
            } else {
                SETTLING
            };
            let outcome = match self.queue.next(self.next, MOST_BYTES, patience) {
                Next::Batch(batch) => self.send(&batch),
                Next::Nothing => self.settle(),
                Next::Closed => break,
            };
            match outcome {
                Ok(()) => self.pause = FIRST_PAUSE,
                Err(error) => {
                    if self.recover(&error) {
                        break;
                    }
                }
            }
        }
        if !self.unsettled.is_empty() {
            match self.sink.finish().and_then(|()| self.settle()) {
                Ok(()) => {}
                Err(error) => self.shared.failed(&error),
            }
        }
        self.shared.end();
    }

    /// After a failure: what is not settled will be sent again, after a pause. Says whether to end.
    fn recover(&mut self, error: &SinkError) -> bool {
        self.shared.failed(error);
        self.unsettled.clear();
        self.next = self.queue.rewind();
        let jittered = pause(self.pause, error.after(), fastrand::f64());
        self.pause = (self.pause * 2).min(LAST_PAUSE);
        self.queue.pause(jittered)
    }

    fn send(&mut self, batch: &Batch) -> Result<(), SinkError> {
        let (sent, outcome) = match self.sink.send(batch) {
            Ok(()) => (batch.len(), Ok(())),
            Err(Stopped { sent, error }) => (sent, Err(error)),
        };
        self.note(batch, sent);
        match outcome {
            Ok(()) => self.settle(),
            Err(error @ SinkError::Refused { .. }) => self.sift(batch, sent, &error),
            Err(error @ SinkError::Partial { rejected, .. }) => {
                self.shared.refused(&error);
                if let Some(sent) = self.unsettled.back_mut() {
                    sent.refused = rejected.min(sent.taken);
                    sent.taken -= sent.refused;
                }
                self.settle()
            }
            Err(error) => {
                // What did go out before the failure may have arrived.
                let _ = self.settle();
                Err(error)
            }
        }
    }

    /// The receiver will not take some record: halves the batch until it is found.
    fn sift(&mut self, batch: &Batch, sent: usize, error: &SinkError) -> Result<(), SinkError> {
        let left = batch.len() - sent;
        match left {
            0 => Ok(()),
            1 => {
                self.shared.refused(error);
                self.skip(batch);
                self.settle()
            }
            _ => {
                let middle = sent + left / 2;
                self.send(&batch.part(sent, middle))?;
                self.send(&batch.part(middle, batch.len()))
            }
        }
    }

    fn skip(&mut self, batch: &Batch) {
        if let Some(last) = batch.last() {
            self.next = last.next();
            self.unsettled.push_back(Sent {
                last,
                taken: 0,
                refused: 1,
            });
        }
    }

    fn note(&mut self, batch: &Batch, sent: usize) {
        let last = sent
            .checked_sub(1)
            .and_then(|index| batch.items().nth(index));
        if let Some(last) = last {
            self.next = last.place.next();
            self.unsettled.push_back(Sent {
                last: last.place,
                taken: sent as u64,
                refused: 0,
            });
        }
    }

    fn settle(&mut self) -> Result<(), SinkError> {
        let settled = self.sink.settled()?;
        while let Some(sent) = self.unsettled.front() {
            match settled {
                Settled::Through(place) if place < sent.last => break,
                Settled::All | Settled::Through(_) => {}
            }
            // What was only sent proves nothing: a server that hangs takes it too.
            if sent.taken > 0 {
                self.shared.works();
            }
            self.queue.release(sent.last, sent.taken, sent.refused);
            self.unsettled.pop_front();
        }
        Ok(())
    }
}

/// How long to wait before the next attempt. `chance` is from 0 to 1: many nodes that lost one receiver
/// must not come back as one, and none before it `asked` to be tried again.
fn pause(usual: Duration, asked: Option<Duration>, chance: f64) -> Duration {
    match asked {
        None => usual.mul_f64(chance.mul_add(0.5, 0.5)),
        Some(asked) => asked
            .clamp(usual, LONGEST_PAUSE)
            .mul_f64(chance.mul_add(0.5, 1.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, FIRST_PAUSE, LAST_PAUSE, LONGEST_PAUSE, pause};

    #[test]
    fn a_receiver_is_not_tried_before_it_asked_to_be() {
        for chance in [0.0, 0.3, 1.0] {
            for usual in [FIRST_PAUSE, LAST_PAUSE] {
                let asked = Duration::from_secs(60);
                let waits = pause(usual, Some(asked), chance);
                assert!(waits >= asked && waits <= asked * 3 / 2, "{waits:?}");
                let never = pause(usual, Some(Duration::MAX), chance);
                assert!(never <= LONGEST_PAUSE * 3 / 2, "{never:?}");
                let unasked = pause(usual, None, chance);
                assert!(unasked >= usual / 2 && unasked <= usual, "{unasked:?}");
            }
        }
    }
}
