//! A certificate authority for one test, made by `openssl`.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

pub(super) struct Certificates {
    directory: PathBuf,
}

impl Certificates {
    pub(super) fn make(directory: &Path) -> Self {
        let certificates = Self {
            directory: directory.to_owned(),
        };
        certificates.openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca \
             -keyout ca.key -out ca.pem",
        );
        for name in ["server", "client"] {
            certificates.openssl(&format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={name} \
                 -CA ca.pem -CAkey ca.key -addext subjectAltName=IP:127.0.0.1 \
                 -addext basicConstraints=critical,CA:FALSE -keyout {name}.key -out {name}.pem"
            ));
        }
        certificates
    }

    fn openssl(&self, arguments: &str) {
        let status = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(&self.directory)
            .stderr(Stdio::null())
            .status()
            .expect("openssl");
        assert!(status.success(), "openssl {arguments}");
    }

    pub(super) fn file(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }
}
