//! The HTTP Event Collector of Splunk.

use std::{
    collections::{HashMap, VecDeque},
    io::Write as _,
    thread,
    time::{Duration, Instant},
};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Settled, Sink, SinkError, Stopped,
    http::{Client, HttpOptions},
};
use crate::events::{
    batch::{Batch, Place},
    record::Observer,
};

/// How long the indexers may take to acknowledge; Splunk advises five minutes at most.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(120);
/// How often they are asked.
const ASK_EVERY: Duration = Duration::from_millis(250);
/// How many batches may wait to be acknowledged.
const MOST_TAKEN: usize = 16;
/// How long the indexers may take when the daemon ends.
const FAREWELL: Duration = Duration::from_secs(3);

/// What belongs to the receiver's side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HecOptions {
    /// Index, if not that of the token.
    pub index: Option<String>,
    /// `sourcetype` of the events.
    pub source_type: String,
    /// Wait until the indexers acknowledge each batch.
    pub acknowledge: bool,
}

/// Posts batches of events.
pub struct SplunkHecSink {
    client: Client,
    base: String,
    /// Members of each event's envelope that are the same for all, written.
    envelope: String,
    channel: Option<Channel>,
}

/// Where the indexers acknowledge what was taken.
struct Channel {
    /// A GUID.
    name: String,
    /// What was taken and is not acknowledged, in order.
    taken: VecDeque<Taken>,
    /// The last place before those.
    through: Place,
    asked: Instant,
    /// Something was not taken since: what is not acknowledged will be sent again.
    failed: bool,
}

struct Taken {
    id: u64,
    last: Place,
    since: Instant,
    acknowledged: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    ack_id: Option<u64>,
}

#[derive(Deserialize)]
struct Acknowledged {
    acks: HashMap<String, bool>,
}

impl SplunkHecSink {
    /// Posts to the collector at `base`, such as `https://splunk:8088`.
    ///
    /// # Errors
    /// A certificate, key or token cannot be read.
    pub fn new(
        base: &str,
        hec: &HecOptions,
        options: &HttpOptions,
        observer: &Observer,
    ) -> Result<Self, SinkError> {
        let text = |text: &str| Value::from(text).to_string();
        let mut envelope = format!(
            "\"host\":{},\"source\":\"enforcer\",\"sourcetype\":{}",
            text(&observer.host),
            text(&hec.source_type)
        );
        if let Some(index) = &hec.index {
            envelope.push_str(&format!(",\"index\":{}", text(index)));
        }
        Ok(Self {
            client: Client::new(options, "Splunk")?,
            base: base.trim_end_matches('/').to_owned(),
            envelope,
            channel: hec.acknowledge.then(Channel::new),
        })
    }

    fn collect(&mut self, batch: &Batch) -> Result<(), SinkError> {
        let body = self.body(batch);
        let url = format!("{}/services/collector/event", self.base);
        let mut headers = vec![("Content-Type", "application/json")];
        let Some(channel) = &mut self.channel else {
            self.client.post(&url, &headers, &body).map_err(blamed)?;
            return Ok(());
        };
        headers.push((CHANNEL, &channel.name));
        let answer = self.client.post(&url, &headers, &body).map_err(blamed)?;
        let answer: Answer = parsed(&answer)?;
        let id = answer.ack_id.ok_or_else(|| {
            SinkError::Protocol(
                "no ackId: enable indexer acknowledgement for the token, or drop `ack`".into(),
            )
        })?;
        channel.taken.extend(batch.last().map(|last| Taken {
            id,
            last,
            since: Instant::now(),
            acknowledged: false,
        }));
        Ok(())
    }

    fn body(&self, batch: &Batch) -> Vec<u8> {
        let mut body = Vec::with_capacity(batch.bytes().len() + batch.len() * 128);
        for item in batch.items() {
            let (seconds, rest) = (item.at_ns / 1_000_000_000, item.at_ns % 1_000_000_000);
            // Splunk keeps milliseconds. Writing to memory cannot fail.
            let _ = write!(
                body,
                "{{\"time\":{seconds}.{:03},{},\"event\":",
                rest / 1_000_000,
                self.envelope
            );
            body.extend_from_slice(item.text());
            body.extend_from_slice(b"}\n");
        }
        body
    }

    /// After a failure everything that is not acknowledged is sent again, and not asked for.
    fn note<T>(&mut self, outcome: Result<T, SinkError>) -> Result<T, SinkError> {
        if let (Err(_), Some(channel)) = (&outcome, &mut self.channel) {
            channel.taken.clear();
            channel.failed = true;
        }
        outcome
    }

    /// Asks until at most `most` batches wait to be acknowledged.
    fn wait(&mut self, most: usize, patience: Duration) -> Result<(), SinkError> {
        let until = Instant::now() + patience;
        while let Some(channel) = &mut self.channel {
            let waiting = channel.ask(&mut self.client, &self.base)?;
            if waiting <= most {
                break;
            }
            if Instant::now() >= until {
                return Err(channel.silent());
            }
            thread::sleep(ASK_EVERY);
        }
        Ok(())
    }
}

impl Channel {
    fn new() -> Self {
        Self {
            name: guid(),
            taken: VecDeque::new(),
            through: Place::default(),
            asked: Instant::now(),
            failed: false,
        }
    }

    /// Asks for what is not acknowledged, if that was not done just now; says how many batches are
    /// left.
    fn ask(&mut self, client: &mut Client, base: &str) -> Result<usize, SinkError> {
        if self.taken.is_empty() || self.asked.elapsed() < ASK_EVERY {
            return Ok(self.taken.len());
        }
        self.asked = Instant::now();
        let ids: Vec<u64> = self.taken.iter().map(|taken| taken.id).collect();
        let url = format!("{base}/services/collector/ack?channel={}", self.name);
        let headers = [("Content-Type", "application/json"), (CHANNEL, &self.name)];
        let question = json!({ "acks": ids }).to_string();
        let answer = client.post(&url, &headers, question.as_bytes());
        let answer: Acknowledged = parsed(&answer.map_err(unavailable)?)?;
        // An acknowledgement is given once.
        for taken in &mut self.taken {
            taken.acknowledged |= answer.acks.get(&taken.id.to_string()) == Some(&true);
        }
        while let Some(taken) = self.taken.pop_front_if(|taken| taken.acknowledged) {
            self.through = taken.last;
        }
        match self.taken.front() {
            Some(oldest) if oldest.since.elapsed() >= ACKNOWLEDGED_WITHIN => Err(self.silent()),
            _ => Ok(self.taken.len()),
        }
    }

    fn silent(&self) -> SinkError {
        let waiting = self.taken.len();
        SinkError::Silent(format!(
            "{waiting} batches were taken and are not acknowledged"
        ))
    }

    fn settled(&self) -> Settled {
        if self.taken.is_empty() && !self.failed {
            Settled::All
        } else {
            Settled::Through(self.through)
        }
    }
}

const CHANNEL: &str = "X-Splunk-Request-Channel";

/// Codes of answers 400 that tell of the token and the request, not of the events: incorrect index, data
/// channel missing or invalid, acknowledgement disabled.
const OF_THE_SETTINGS: [u64; 4] = [7, 10, 11, 14];

/// Answers about acknowledgements concern no event at all.
fn unavailable(error: SinkError) -> SinkError {
    let SinkError::Refused { status, text } = error else {
        return error;
    };
    SinkError::Unavailable {
        status,
        text,
        after: None,
    }
}

/// What does not concern the events is tried again: somebody may mend it, and nothing is lost.
fn blamed(error: SinkError) -> SinkError {
    let SinkError::Refused { status: 400, text } = error else {
        return error;
    };
    let answer: Option<Value> = serde_json::from_str(&text).ok();
    let code = answer.and_then(|answer| answer["code"].as_u64());
    let refused = SinkError::Refused { status: 400, text };
    match code {
        Some(code) if OF_THE_SETTINGS.contains(&code) => unavailable(refused),
        _ => refused,
    }
}

/// Of version 4, from a generator that need not be secret.
fn guid() -> String {
    let bits = fastrand::u128(..) & !(0xf000_u128 << 64 | 0xc000_u128 << 48)
        | 0x4000_u128 << 64
        | 0x8000_u128 << 48;
    let hex = format!("{bits:032x}");
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    parts.join("-")
}

fn parsed<'a, T: Deserialize<'a>>(answer: &'a [u8]) -> Result<T, SinkError> {
    serde_json::from_slice(answer).map_err(|error| SinkError::Protocol(error.to_string()))
}

impl Sink for SplunkHecSink {
    fn send(&mut self, batch: &Batch) -> Result<(), Stopped> {
        if let Some(channel) = &mut self.channel
            && channel.failed
        {
            channel.failed = false;
            channel.through = Place::default();
        }
        let outcome = self
            .wait(MOST_TAKEN - 1, ACKNOWLEDGED_WITHIN)
            .and_then(|()| self.collect(batch));
        match outcome {
            // The rest goes on.
            Err(refused @ SinkError::Refused { .. }) => Err(refused.into()),
            outcome => Ok(self.note(outcome)?),
        }
    }

    fn settled(&mut self) -> Result<Settled, SinkError> {
        let Some(channel) = &mut self.channel else {
            return Ok(Settled::All);
        };
        let outcome = channel.ask(&mut self.client, &self.base);
        let settled = channel.settled();
        self.note(outcome).map(|_| settled)
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        self.wait(0, FAREWELL)
    }
}

#[cfg(test)]
mod tests {
    use super::{SinkError, blamed, guid};

    #[test]
    fn a_wrong_index_is_no_reason_to_drop_events() {
        let refused = |text: &str| SinkError::Refused {
            status: 400,
            text: text.to_owned(),
        };
        let settings = blamed(refused(r#"{"text":"Incorrect index","code":7}"#));
        assert!(
            matches!(settings, SinkError::Unavailable { .. }),
            "{settings}"
        );
        for events in [r#"{"text":"Invalid data format","code":6}"#, "no JSON"] {
            let events = blamed(refused(events));
            assert!(matches!(events, SinkError::Refused { .. }), "{events}");
        }
    }

    #[test]
    fn channels_are_guids_and_differ() {
        let (one, other) = (guid(), guid());
        assert_ne!(one, other);
        let lengths: Vec<usize> = one.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(one.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&one.as_bytes()[19]), "{one}");
    }
}
