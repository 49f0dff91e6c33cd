//! Lines to any receiver that takes them over HTTPS.

use super::{
    Sink, SinkError, Stopped,
    http::{Client, HttpOptions},
};
use crate::events::batch::Batch;

/// Posts batches of lines.
pub struct WebhookSink {
    client: Client,
    url: String,
    array: bool,
}

impl WebhookSink {
    /// Posts to `url`: lines (`application/x-ndjson`), or with `array` one JSON array.
    ///
    /// # Errors
    /// A certificate, key or token cannot be read.
    pub fn new(url: &str, array: bool, options: &HttpOptions) -> Result<Self, SinkError> {
        Ok(Self {
            client: Client::new(options, "Bearer")?,
            url: url.to_owned(),
            array,
        })
    }
}

impl Sink for WebhookSink {
    fn send(&mut self, batch: &Batch) -> Result<(), Stopped> {
        if self.array {
            let mut body = Vec::with_capacity(batch.bytes().len() + 2);
            for item in batch.items() {
                body.push(if body.is_empty() { b'[' } else { b',' });
                body.extend_from_slice(item.text());
            }
            body.push(b']');
            let json = [("Content-Type", "application/json")];
            self.client.post(&self.url, &json, &body)?;
        } else {
            let lines = [("Content-Type", "application/x-ndjson")];
            self.client.post(&self.url, &lines, batch.bytes())?;
        }
        Ok(())
    }
}
