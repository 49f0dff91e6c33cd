//! Over HTTP.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use prost::Message as _;

use super::{Sender, taken};
use crate::events::{
    batch::Batch,
    record::Observer,
    sinks::{
        Sink, SinkError, Stopped,
        http::{Client, HttpOptions},
    },
};

/// Posts batches of log records.
pub struct OtlpHttpSink {
    client: Client,
    url: String,
    sender: Sender,
}

impl OtlpHttpSink {
    /// Posts to the receiver at `base`, such as `https://collector:4318`.
    ///
    /// # Errors
    /// A certificate, key or token cannot be read.
    pub fn new(base: &str, options: &HttpOptions, observer: &Observer) -> Result<Self, SinkError> {
        let base = base.trim_end_matches('/');
        Ok(Self {
            client: Client::new(options, "Bearer")?,
            url: format!("{base}/v1/logs"),
            sender: Sender::new(observer),
        })
    }
}

impl Sink for OtlpHttpSink {
    fn send(&mut self, batch: &Batch) -> Result<(), Stopped> {
        let request = self.sender.request(batch).encode_to_vec();
        let protobuf = [("Content-Type", "application/x-protobuf")];
        let answer = self.client.post(&self.url, &protobuf, &request)?;
        let answer = ExportLogsServiceResponse::decode(answer.as_slice())
            .map_err(|error| SinkError::Protocol(error.to_string()))?;
        taken(answer, batch.len())
    }
}
