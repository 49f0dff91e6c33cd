//! The logs of the OpenTelemetry protocol over HTTP, decoded by its own definitions.

use std::sync::Arc;

use opentelemetry_proto::tonic::{
    collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse},
    common::v1::any_value::Value,
    logs::v1::LogRecord,
};
use prost::Message as _;

use super::{
    arrivals::Arrivals,
    http::{Answer, Request, Service},
};

/// A collector that notes `enforcer.sequence` of what it takes.
#[derive(Debug)]
pub struct Otlp(Arc<Arrivals>);

impl Otlp {
    /// A collector that notes it there.
    #[must_use]
    pub fn new(arrivals: &Arc<Arrivals>) -> Self {
        Self(Arc::clone(arrivals))
    }
}

impl Service for Otlp {
    fn answer(&self, request: &Request) -> Answer {
        let protobuf = request.header("content-type") == Some("application/x-protobuf");
        if request.path != "/v1/logs" || !protobuf {
            return Answer::json(404, "{}");
        }
        let Some(numbers) = numbers(&request.body) else {
            return Answer::json(400, "{}");
        };
        self.0.add(numbers);
        Answer {
            status: 200,
            content_type: "application/x-protobuf",
            body: ExportLogsServiceResponse::default().encode_to_vec(),
        }
    }
}

/// The numbers of all records; `None` if one has none.
fn numbers(body: &[u8]) -> Option<Vec<u64>> {
    let request = ExportLogsServiceRequest::decode(body).ok()?;
    let scopes = request
        .resource_logs
        .iter()
        .flat_map(|resource| &resource.scope_logs);
    scopes
        .flat_map(|scope| &scope.log_records)
        .map(number)
        .collect()
}

fn number(record: &LogRecord) -> Option<u64> {
    let mut attributes = record.attributes.iter();
    let attribute = attributes.find(|attribute| attribute.key == "enforcer.sequence")?;
    let Some(Value::IntValue(number)) = attribute.value.as_ref()?.value else {
        return None;
    };
    u64::try_from(number).ok()
}
