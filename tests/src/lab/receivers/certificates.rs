//! A certificate authority for one test, made by `openssl`.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use anyhow::{Context, ensure};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

/// An authority (`ca`), a `server` and a `client` that it vouches for, and a `stranger` that nobody
/// does: `NAME.pem` and `NAME.key` in a directory.
#[derive(Clone, Debug)]
pub struct Certificates {
    directory: PathBuf,
}

impl Certificates {
    /// Makes them in `directory`; server and stranger claim to be `127.0.0.1`.
    ///
    /// # Errors
    /// There is no `openssl`, or it fails.
    pub fn make(directory: &Path) -> anyhow::Result<Self> {
        let certificates = Self {
            directory: directory.to_owned(),
        };
        for name in ["ca", "stranger"] {
            certificates.request(name, "")?;
        }
        for name in ["server", "client"] {
            certificates.request(name, "-CA ca.pem -CAkey ca.key")?;
        }
        Ok(certificates)
    }

    fn request(&self, name: &str, issuer: &str) -> anyhow::Result<()> {
        let role = if name == "ca" {
            ""
        } else {
            "-addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE"
        };
        let arguments = format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={name} \
             {issuer} {role} -keyout {name}.key -out {name}.pem"
        );
        let output = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .output()
            .context("openssl")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "openssl {arguments}: {said}");
        Ok(())
    }

    /// The path of one of the files.
    #[must_use]
    pub fn file(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }

    /// What a TLS server that presents the certificate `name` needs. It asks clients for none.
    ///
    /// # Errors
    /// A file is not what it should be.
    pub fn server(&self, name: &str) -> anyhow::Result<Arc<ServerConfig>> {
        let chain = CertificateDer::from_pem_file(self.file(&format!("{name}.pem")))?;
        let key = PrivateKeyDer::from_pem_file(self.file(&format!("{name}.key")))?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)?;
        Ok(Arc::new(config))
    }
}
