//! Lines over HTTP.

use std::sync::Arc;

use serde_json::Value;

use super::{
    arrivals::Arrivals,
    http::{Answer, Request, Service},
};

/// Takes lines of JSON and notes `event.sequence` of each.
#[derive(Debug)]
pub struct Webhook(Arc<Arrivals>);

impl Webhook {
    /// One that notes it there.
    #[must_use]
    pub fn new(arrivals: &Arc<Arrivals>) -> Self {
        Self(Arc::clone(arrivals))
    }
}

impl Service for Webhook {
    fn answer(&self, request: &Request) -> Answer {
        let lines = request.body.split_inclusive(|byte| *byte == b'\n');
        let numbers = lines.map(|line| -> Option<u64> {
            let event: Value = serde_json::from_slice(line).ok()?;
            event["event"]["sequence"].as_u64()
        });
        match numbers.collect::<Option<Vec<u64>>>() {
            Some(numbers) => {
                self.0.add(numbers);
                Answer::json(200, "{}")
            }
            None => Answer::json(400, "no lines of JSON"),
        }
    }
}
