//! The HTTP Event Collector as Splunk documents it: tokens, channels, acknowledgements, and the codes of
//! its answers.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    arrivals::Arrivals,
    http::{Answer, Request, Service},
};

/// What `Authorization` must hold, after `Splunk `.
const TOKEN: &str = "11111111-2222-3333-4444-555555555555";

/// A collector that notes `event.sequence` of what it takes.
#[derive(Debug)]
pub struct Hec {
    arrivals: Arc<Arrivals>,
    index: Mutex<String>,
    next_acknowledgement: AtomicU64,
    /// Numbers of batches that were taken and are acknowledged when asked the second time.
    taken: Mutex<HashMap<u64, Taken>>,
}

#[derive(Debug)]
struct Taken {
    channel: String,
    numbers: Vec<u64>,
    asked: bool,
}

#[derive(Deserialize)]
struct Envelope {
    event: Value,
    sourcetype: String,
    index: Option<String>,
    time: f64,
}

#[derive(Deserialize)]
struct Question {
    acks: Vec<u64>,
}

impl Hec {
    /// A collector whose token may write to the index `security`.
    #[must_use]
    pub fn new(arrivals: &Arc<Arrivals>) -> Self {
        Self {
            arrivals: Arc::clone(arrivals),
            index: Mutex::new("security".to_owned()),
            next_acknowledgement: AtomicU64::new(0),
            taken: Mutex::default(),
        }
    }

    /// The token that it asks for.
    #[must_use]
    pub fn token() -> &'static str {
        TOKEN
    }

    /// Renames the index that the token may write to.
    pub fn rename_index(&self, name: &str) {
        *self.index.lock().unwrap_or_else(PoisonError::into_inner) = name.to_owned();
    }

    /// All numbers of a request, or the code of what is wrong with it.
    fn numbers(&self, body: &[u8]) -> Result<Vec<u64>, u16> {
        let index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let envelopes = serde_json::Deserializer::from_slice(body).into_iter::<Envelope>();
        let numbers = envelopes.map(|envelope| {
            let envelope = envelope.map_err(|_| 6_u16)?;
            if envelope.index.is_some_and(|asked| asked != *index) {
                return Err(7);
            }
            let sound = envelope.sourcetype == "enforcer" && envelope.time > 1e9;
            let number = envelope.event["event"]["sequence"].as_u64();
            number.filter(|_| sound).ok_or(6)
        });
        let numbers: Vec<u64> = numbers.collect::<Result<_, u16>>()?;
        if numbers.is_empty() {
            Err(5)
        } else {
            Ok(numbers)
        }
    }

    fn collect(&self, request: &Request) -> Answer {
        let numbers = match self.numbers(&request.body) {
            Ok(numbers) => numbers,
            Err(code) => return said(400, code, "refused"),
        };
        let Some(channel) = request.header("x-splunk-request-channel") else {
            self.arrivals.add(numbers);
            return said(200, 0, "Success");
        };
        let id = self.next_acknowledgement.fetch_add(1, Ordering::Relaxed);
        let taken = Taken {
            channel: channel.to_owned(),
            numbers,
            asked: false,
        };
        let mut all = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(id, taken);
        let answer = json!({"text": "Success", "code": 0, "ackId": id});
        Answer::json(200, &answer.to_string())
    }

    /// What was indexed in the meantime.
    fn acknowledge(&self, request: &Request) -> Answer {
        let Some(channel) = request.header("x-splunk-request-channel") else {
            return said(400, 10, "Data channel is missing");
        };
        let Ok(question) = serde_json::from_slice::<Question>(&request.body) else {
            return said(400, 6, "Invalid data format");
        };
        let mut all = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = question.acks.into_iter().map(|id| {
            let taken = all.get_mut(&id);
            let taken = taken.filter(|taken| taken.channel == channel);
            let indexed = taken.is_some_and(|taken| std::mem::replace(&mut taken.asked, true));
            if indexed && let Some(taken) = all.remove(&id) {
                self.arrivals.add(taken.numbers);
            }
            (id.to_string(), indexed)
        });
        let answers: HashMap<String, bool> = answers.collect();
        Answer::json(200, &json!({"acks": answers}).to_string())
    }
}

impl Service for Arc<Hec> {
    fn answer(&self, request: &Request) -> Answer {
        let authorised = request.header("authorization") == Some(&format!("Splunk {TOKEN}"));
        match request.path.split('?').next() {
            _ if !authorised => said(403, 4, "Invalid token"),
            Some("/services/collector/event") => self.collect(request),
            Some("/services/collector/ack") => self.acknowledge(request),
            _ => said(404, 404, "The requested URL was not found on this server."),
        }
    }
}

fn said(status: u16, code: u16, text: &str) -> Answer {
    Answer::json(status, &json!({"text": text, "code": code}).to_string())
}
