//! TLS for every sink: rustls, with the system's roots or given ones.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use super::SinkError;
use crate::crypto::provider;

/// Whom to trust and who to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// PEM file of the roots to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// PEM file of the own certificate and the chain to its root.
    pub certificate: Option<PathBuf>,
    /// PEM file of its key.
    pub key: Option<PathBuf>,
}

/// The roots, and the own certificate with its key.
pub(super) struct Identity {
    pub(super) roots: Vec<CertificateDer<'static>>,
    pub(super) own: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
}

impl TlsOptions {
    /// Reads the files.
    ///
    /// # Errors
    /// A file cannot be read or holds something else.
    pub(super) fn read(&self) -> Result<Identity, SinkError> {
        let roots = match &self.ca {
            Some(path) => certificates(path)?,
            None => rustls_native_certs::load_native_certs().certs,
        };
        let own = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => {
                let parsed = PrivateKeyDer::from_pem_file(key);
                let parsed = parsed.map_err(|error| unusable(key, &error))?;
                Some((certificates(certificate)?, parsed))
            }
            _ => None,
        };
        Ok(Identity { roots, own })
    }

    /// For connections that are not HTTP.
    ///
    /// # Errors
    /// See [`TlsOptions::read`]; or certificate and key do not belong together.
    pub(super) fn client(&self) -> Result<Arc<ClientConfig>, SinkError> {
        let identity = self.read()?;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(identity.roots);
        let failed = |error: rustls::Error| SinkError::Tls(error.to_string());
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(failed)?
            .with_root_certificates(roots);
        let config = match identity.own {
            Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(failed)?,
            None => builder.with_no_client_auth(),
        };
        Ok(Arc::new(config))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, SinkError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)
        .map_err(|error| unusable(path, &error))?
        .collect();
    let all = all.map_err(|error| unusable(path, &error))?;
    if all.is_empty() {
        return Err(SinkError::Credential {
            path: path.to_owned(),
            problem: "no certificate in it: give a PEM file".into(),
        });
    }
    Ok(all)
}

fn unusable(path: &Path, error: &rustls::pki_types::pem::Error) -> SinkError {
    SinkError::Credential {
        path: path.to_owned(),
        problem: error.to_string(),
    }
}

#[cfg(all(test, feature = "fips"))]
mod tests {
    use super::{TlsOptions, provider};

    #[test]
    fn the_validated_module_does_the_cryptography() {
        assert!(provider().fips());
        let config = TlsOptions::default().client().expect("the system's roots");
        assert!(config.fips());
    }
}
