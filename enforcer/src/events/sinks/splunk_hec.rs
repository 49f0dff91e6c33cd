//! The HTTP Event Collector of Splunk.

use std::{
    collections::HashMap,
    io::Write as _,
    thread,
    time::{Duration, Instant},
};

use serde::Deserialize;

use super::{
    Sink, SinkError, Stopped,
    http::{Client, HttpOptions},
};
use crate::events::{batch::Batch, record::Observer};

/// How long the indexers may take to acknowledge; Splunk advises five minutes at most.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(120);
/// How often they are asked.
const ASK_EVERY: Duration = Duration::from_millis(250);

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
    /// Channel of the acknowledgements; a GUID.
    channel: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Taken {
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
        let text = |text: &str| serde_json::Value::from(text).to_string();
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
            channel: hec.acknowledge.then(guid),
        })
    }

    fn await_acknowledgement(&mut self, channel: &str, id: u64) -> Result<(), SinkError> {
        let url = format!("{}/services/collector/ack?channel={channel}", self.base);
        let question = format!("{{\"acks\":[{id}]}}");
        let until = Instant::now() + ACKNOWLEDGED_WITHIN;
        while Instant::now() < until {
            let headers = [("Content-Type", "application/json"), (CHANNEL, channel)];
            let answer = self.client.post(&url, &headers, question.as_bytes())?;
            let answer: Acknowledged = parsed(&answer)?;
            if answer.acks.get(&id.to_string()) == Some(&true) {
                return Ok(());
            }
            thread::sleep(ASK_EVERY);
        }
        Err(SinkError::Silent(format!(
            "batch {id} was taken and is not acknowledged"
        )))
    }
}

const CHANNEL: &str = "X-Splunk-Request-Channel";

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
        let url = format!("{}/services/collector/event", self.base);
        let Some(channel) = self.channel.clone() else {
            let json = [("Content-Type", "application/json")];
            self.client.post(&url, &json, &body)?;
            return Ok(());
        };
        let headers = [
            ("Content-Type", "application/json"),
            (CHANNEL, channel.as_str()),
        ];
        let answer = self.client.post(&url, &headers, &body)?;
        let taken: Taken = parsed(&answer)?;
        let id = taken.ack_id.ok_or_else(|| {
            SinkError::Protocol(
                "no ackId: enable indexer acknowledgement for the token, or drop `ack`".into(),
            )
        })?;
        Ok(self.await_acknowledgement(&channel, id)?)
    }
}

#[cfg(test)]
mod tests {
    use super::guid;

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
