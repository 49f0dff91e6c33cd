//! Connections by our own TLS, so that it is the same for all sinks.

use std::{io, sync::Arc, time::Duration};

use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use crate::events::sinks::SinkError;

/// How long connecting, TLS included, may take.
const CONNECT: Duration = Duration::from_secs(10);

/// Connects to `HOST:PORT` at the first call, and anew at the first one after a connection has ended.
/// Must be called inside a runtime.
///
/// # Errors
/// The host is no name and no address.
pub(super) fn channel(address: &str, tls: Option<Arc<ClientConfig>>) -> Result<Channel, SinkError> {
    let scheme = if tls.is_some() { "https" } else { "http" };
    let origin: Uri = format!("{scheme}://{address}").parse().map_err(unusable)?;
    let host = origin.host().unwrap_or_default();
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(unusable)?;
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .and_then(|endpoint| endpoint.user_agent(concat!("enforcer/", env!("CARGO_PKG_VERSION"))))
        .map_err(unusable)?
        .origin(origin);
    let address: Arc<str> = address.into();
    Ok(match tls {
        None => endpoint.connect_with_connector_lazy(service_fn(move |_: Uri| {
            within(plain(Arc::clone(&address)))
        })),
        Some(config) => {
            let connector = connector(&config);
            endpoint.connect_with_connector_lazy(service_fn(move |_: Uri| {
                within(encrypted(
                    Arc::clone(&address),
                    name.clone(),
                    connector.clone(),
                ))
            }))
        }
    })
}

fn unusable(error: impl std::error::Error + Send + Sync + 'static) -> SinkError {
    SinkError::Connect(io::Error::other(error))
}

/// Both sides must say that they mean HTTP/2 (RFC 9113 section 3.2).
fn connector(config: &ClientConfig) -> TlsConnector {
    let mut config = config.clone();
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsConnector::from(Arc::new(config))
}

async fn within<S>(connecting: impl Future<Output = io::Result<S>>) -> io::Result<TokioIo<S>> {
    let connected = timeout(CONNECT, connecting).await;
    let stream = connected.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "connect"))?;
    stream.map(TokioIo::new)
}

async fn plain(address: Arc<str>) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(&*address).await?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

async fn encrypted(
    address: Arc<str>,
    name: ServerName<'static>,
    connector: TlsConnector,
) -> io::Result<TlsStream<TcpStream>> {
    connector.connect(name, plain(address).await?).await
}
