//! The OpenTelemetry protocol over HTTP: logs in protobuf.

use opentelemetry_proto::tonic::{
    collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse},
    common::v1::InstrumentationScope,
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
};
use prost::Message as _;

use super::{
    Sink, SinkError, Stopped,
    http::{Client, HttpOptions},
};
use crate::events::{batch::Batch, encode::otlp::string, record::Observer};

/// Posts batches of log records.
pub struct OtlpSink {
    client: Client,
    url: String,
    resource: Resource,
    scope: InstrumentationScope,
}

impl OtlpSink {
    /// Posts to the receiver at `base`, such as `https://collector:4318`.
    ///
    /// # Errors
    /// A certificate, key or token cannot be read.
    pub fn new(base: &str, options: &HttpOptions, observer: &Observer) -> Result<Self, SinkError> {
        let base = base.trim_end_matches('/');
        let resource = Resource {
            attributes: vec![
                string("service.name", "enforcer"),
                string("service.version", observer.version),
                string("service.instance.id", &observer.run),
                string("host.name", &observer.host),
            ],
            ..Resource::default()
        };
        Ok(Self {
            client: Client::new(options, "Bearer")?,
            url: format!("{base}/v1/logs"),
            resource,
            scope: InstrumentationScope {
                name: "enforcer.events".into(),
                version: observer.version.into(),
                ..InstrumentationScope::default()
            },
        })
    }

    fn request(&self, batch: &Batch) -> ExportLogsServiceRequest {
        let records = batch.items().map(|item| LogRecord::decode(item.payload));
        ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs {
                resource: Some(self.resource.clone()),
                scope_logs: vec![ScopeLogs {
                    scope: Some(self.scope.clone()),
                    // The checksum of a spool lets nothing pass that is not as it was encoded.
                    log_records: records.flatten().collect(),
                    ..ScopeLogs::default()
                }],
                ..ResourceLogs::default()
            }],
        }
    }
}

impl Sink for OtlpSink {
    fn send(&mut self, batch: &Batch) -> Result<(), Stopped> {
        let request = self.request(batch).encode_to_vec();
        let protobuf = [("Content-Type", "application/x-protobuf")];
        let answer = self.client.post(&self.url, &protobuf, &request)?;
        let answer = ExportLogsServiceResponse::decode(answer.as_slice())
            .map_err(|error| SinkError::Protocol(error.to_string()))?;
        match answer.partial_success {
            Some(partial) if partial.rejected_log_records > 0 => Err(SinkError::Refused {
                status: 200,
                text: partial.error_message,
            }
            .into()),
            _ => Ok(()),
        }
    }
}
