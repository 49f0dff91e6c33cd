//! The OpenTelemetry protocol (OTLP 1.x): logs in protobuf, over HTTP or gRPC.

mod grpc;
mod http;

use opentelemetry_proto::tonic::{
    collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse},
    common::v1::InstrumentationScope,
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
};
use prost::Message as _;

use super::{SinkError, Stopped};
use crate::events::{batch::Batch, encode::otlp::string, record::Observer};

pub use grpc::OtlpGrpcSink;
pub use http::OtlpHttpSink;

/// What every request says of its sender.
struct Sender {
    resource: Resource,
    scope: InstrumentationScope,
}

impl Sender {
    fn new(observer: &Observer) -> Self {
        Self {
            resource: Resource {
                attributes: vec![
                    string("service.name", "enforcer"),
                    string("service.version", observer.version),
                    string("service.instance.id", &observer.run),
                    string("host.name", &observer.host),
                ],
                ..Resource::default()
            },
            scope: InstrumentationScope {
                name: "enforcer.events".into(),
                version: observer.version.into(),
                ..InstrumentationScope::default()
            },
        }
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

/// What the answer to a request with `records` records means. A request that was taken in part must
/// not be sent again (OTLP 1.x, "Partial Success").
fn taken(answer: ExportLogsServiceResponse, records: usize) -> Result<(), Stopped> {
    let Some(partial) = answer.partial_success else {
        return Ok(());
    };
    match u64::try_from(partial.rejected_log_records) {
        Ok(rejected @ 1..) => Err(Stopped {
            sent: records,
            error: SinkError::Partial {
                rejected: rejected.min(records as u64),
                text: partial.error_message,
            },
        }),
        // A warning.
        Ok(0) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::logs::v1::{
        ExportLogsPartialSuccess, ExportLogsServiceResponse,
    };

    use super::taken;
    use crate::events::sinks::{FailureCause, SinkError};

    fn answer(rejected: i64) -> ExportLogsServiceResponse {
        ExportLogsServiceResponse {
            partial_success: Some(ExportLogsPartialSuccess {
                rejected_log_records: rejected,
                error_message: "too old".into(),
            }),
        }
    }

    #[test]
    fn what_is_taken_in_part_is_sent_and_its_rest_refused() {
        assert!(taken(ExportLogsServiceResponse::default(), 5).is_ok());
        assert!(taken(answer(0), 5).is_ok());
        assert!(taken(answer(-1), 5).is_ok());
        for (rejected, counted) in [(2, 2), (5, 5), (i64::MAX, 5)] {
            let stopped = taken(answer(rejected), 5).expect_err("some are refused");
            assert_eq!(stopped.sent, 5);
            assert_eq!(stopped.error.cause(), FailureCause::Refused);
            assert!(
                matches!(&stopped.error, SinkError::Partial { rejected, text }
                    if *rejected == counted && text == "too old"),
                "{stopped:?}"
            );
        }
    }
}
