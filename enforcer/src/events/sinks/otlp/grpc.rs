//! Over gRPC.

mod connect;
mod failure;

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use tokio::{runtime, time::timeout};
use tonic::{
    Code, Request,
    codec::CompressionEncoding,
    metadata::{Ascii, MetadataValue},
    transport::Channel,
};

use super::{Sender, taken};
use crate::events::{
    batch::Batch,
    record::Observer,
    sinks::{Sink, SinkError, Stopped, http::HttpOptions, tls::TlsOptions},
};

/// Calls `LogsService.Export` with batches of log records.
pub struct OtlpGrpcSink {
    client: LogsServiceClient<Channel>,
    sender: Sender,
    options: HttpOptions,
    token: Option<MetadataValue<Ascii>>,
    /// Its one thread follows the connection while nothing is sent: who ends it is noticed at once.
    runtime: runtime::Runtime,
}

impl OtlpGrpcSink {
    /// Calls the receiver at `address` (`HOST:PORT`), over TLS if `encrypted`. Nothing is
    /// connected to yet.
    ///
    /// # Errors
    /// A certificate, key or token cannot be read, or there is no thread.
    pub fn new(
        address: &str,
        encrypted: bool,
        options: &HttpOptions,
        observer: &Observer,
    ) -> Result<Self, SinkError> {
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("otlp-grpc")
            .enable_all()
            .build()
            .map_err(SinkError::Connect)?;
        let tls = encrypted.then_some(&options.tls).map(TlsOptions::client);
        let channel = {
            let _inside = runtime.enter();
            connect::channel(address, tls.transpose()?)?
        };
        let mut client = LogsServiceClient::new(channel);
        if options.gzip {
            client = client.send_compressed(CompressionEncoding::Gzip);
        }
        Ok(Self {
            client,
            sender: Sender::new(observer),
            token: token(options)?,
            options: options.clone(),
            runtime,
        })
    }
}

impl Sink for OtlpGrpcSink {
    fn send(&mut self, batch: &Batch) -> Result<(), Stopped> {
        let mut request = Request::new(self.sender.request(batch));
        if let Some(token) = &self.token {
            request
                .metadata_mut()
                .insert("authorization", token.clone());
        }
        let (client, patience) = (&mut self.client, self.options.timeout);
        let export = async { timeout(patience, client.export(request)).await };
        match self.runtime.block_on(export) {
            Ok(Ok(answer)) => taken(answer.into_inner(), batch.len()),
            Ok(Err(status)) => {
                if let Code::Unauthenticated | Code::PermissionDenied = status.code()
                    && let Ok(token) = token(&self.options)
                {
                    // It may have been changed. If it cannot be read, the old one is tried again.
                    self.token = token;
                }
                Err(failure::of(&status).into())
            }
            Err(_) => Err(SinkError::Silent("timeout: request".into()).into()),
        }
    }
}

fn token(options: &HttpOptions) -> Result<Option<MetadataValue<Ascii>>, SinkError> {
    let Some(token) = options.authorization("Bearer")? else {
        return Ok(None);
    };
    let parsed = token.parse().map_err(|_| SinkError::Credential {
        path: options.token_file.clone().unwrap_or_default(),
        problem: "a token is of printable ASCII".into(),
    });
    parsed.map(Some)
}
