//! Which module does the cryptography of TLS.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// aws-lc-rs in its FIPS 140-3 module with the feature `fips`, else ring.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    #[cfg(feature = "fips")]
    let provider = rustls::crypto::default_fips_provider();
    #[cfg(not(feature = "fips"))]
    let provider = rustls::crypto::ring::default_provider();
    Arc::new(provider)
}
