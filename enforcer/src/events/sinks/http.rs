//! Requests over HTTP, and what their answers mean for a sink.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use flate2::{Compression, write::GzEncoder};
use ureq::{
    Agent,
    tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig, TlsProvider},
};

use super::{SinkError, tls::TlsOptions};
use crate::crypto::provider;

/// How long connecting, TLS included, may take.
const CONNECT: Duration = Duration::from_secs(10);
/// Most of an answer that is read, bytes.
const ANSWER: u64 = 64 << 10;
/// Most of an answer that is shown, characters.
const SHOWN: usize = 200;

/// What all requests of a sink have in common, over HTTP or gRPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpOptions {
    /// File with the token or password; read anew for each connection attempt that is refused.
    pub token_file: Option<PathBuf>,
    /// Compress what is sent.
    pub gzip: bool,
    /// How long a request may take from beginning to end.
    pub timeout: Duration,
    /// For `https`.
    pub tls: TlsOptions,
}

impl HttpOptions {
    /// The header `Authorization`, with the token after `scheme`; `None` where there is no token.
    ///
    /// # Errors
    /// The token cannot be read.
    pub(super) fn authorization(&self, scheme: &str) -> Result<Option<String>, SinkError> {
        let Some(path) = &self.token_file else {
            return Ok(None);
        };
        let token = std::fs::read_to_string(path).map_err(|error| SinkError::Credential {
            path: path.clone(),
            problem: error.to_string(),
        })?;
        Ok(Some(format!("{scheme} {}", token.trim())))
    }
}

/// Sends requests to one receiver.
pub(super) struct Client {
    agent: Agent,
    options: HttpOptions,
    /// What stands before the token in `Authorization`.
    scheme: &'static str,
    token: Option<String>,
}

impl Client {
    /// # Errors
    /// A certificate, key or token cannot be read.
    pub(super) fn new(options: &HttpOptions, scheme: &'static str) -> Result<Self, SinkError> {
        let identity = options.tls.read()?;
        let root = |der: &rustls::pki_types::CertificateDer<'_>| {
            Certificate::from_der(der.as_ref()).to_owned()
        };
        let roots: Vec<_> = identity.roots.iter().map(root).collect();
        let own = match (&options.tls.key, identity.own) {
            (Some(path), Some((chain, _))) => {
                let chain: Vec<_> = chain.iter().map(root).collect();
                Some(ClientCert::new_with_certs(&chain, key(path)?))
            }
            _ => None,
        };
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(provider())
            .root_certs(RootCerts::Specific(Arc::new(roots)))
            .client_cert(own)
            .build();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("enforcer/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(options.timeout))
            .max_idle_connections(1)
            // A proxy of the environment would be one more place that events go to.
            .proxy(None)
            .tls_config(tls)
            .build();
        Ok(Self {
            agent: config.new_agent(),
            options: options.clone(),
            scheme,
            token: options.authorization(scheme)?,
        })
    }

    /// Posts `body` and gives the answer of a receiver that took it.
    ///
    /// # Errors
    /// The receiver was not reached, or did not take it.
    pub(super) fn post(
        &mut self,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Vec<u8>, SinkError> {
        let mut request = self.agent.post(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.token {
            request = request.header("Authorization", token);
        }
        let sent = if self.options.gzip {
            request
                .header("Content-Encoding", "gzip")
                .send(&compressed(body))
        } else {
            request.send(body)
        };
        let mut answer = sent.map_err(failure)?;
        let status = answer.status().as_u16();
        let after = answer
            .headers()
            .get("Retry-After")
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(Duration::from_secs);
        let text = answer
            .body_mut()
            .with_config()
            .limit(ANSWER)
            .read_to_vec()
            .map_err(failure)?;
        if (200..300).contains(&status) {
            return Ok(text);
        }
        if matches!(status, 401 | 403) {
            // It may have been changed. If it cannot be read, the old one is tried again.
            if let Ok(token) = self.options.authorization(self.scheme) {
                self.token = token;
            }
        }
        let text = shown(&text);
        Err(match status {
            400 | 413 | 415 | 422 => SinkError::Refused { status, text },
            _ => SinkError::Unavailable {
                status,
                text,
                after,
            },
        })
    }
}

fn key(path: &Path) -> Result<PrivateKey<'static>, SinkError> {
    let unusable = |problem: String| SinkError::Credential {
        path: path.to_owned(),
        problem,
    };
    let pem = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
    PrivateKey::from_pem(&pem).map_err(|error| unusable(error.to_string()))
}

pub(super) fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text)
        .chars()
        .filter(|char| !char.is_control())
        .take(SHOWN)
        .collect()
}

fn compressed(body: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    // Writing to memory cannot fail; were it to, the receiver would refuse the torso.
    let _ = gzip.write_all(body);
    gzip.finish().unwrap_or_default()
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the client adds kinds of errors; unknown ones are told in its words"
)]
fn failure(error: ureq::Error) -> SinkError {
    match error {
        ureq::Error::Timeout(which) => SinkError::Silent(which.to_string()),
        ureq::Error::Io(error) => of_io(error),
        ureq::Error::HostNotFound => {
            SinkError::Connect(std::io::Error::other("there is no host of that name"))
        }
        ureq::Error::ConnectionFailed => {
            SinkError::Connect(std::io::Error::other("the connection failed"))
        }
        ureq::Error::Tls(problem) => SinkError::Tls(problem.to_owned()),
        ureq::Error::Rustls(error) => SinkError::Tls(error.to_string()),
        other => SinkError::Protocol(other.to_string()),
    }
}

/// TLS errors arrive wrapped.
pub(super) fn of_io(error: std::io::Error) -> SinkError {
    let tls = error
        .get_ref()
        .is_some_and(|inner| inner.is::<rustls::Error>());
    if tls {
        return SinkError::Tls(error.to_string());
    }
    if error.kind() == std::io::ErrorKind::ConnectionRefused {
        return SinkError::Connect(error);
    }
    SinkError::Write(error)
}
