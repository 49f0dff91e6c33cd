//! Rotel, an OpenTelemetry collector, in front of a receiver: what it does not understand it does not
//! pass on.

use std::{net::SocketAddr, path::PathBuf, process::Command};

use anyhow::{Context, ensure};

use super::process::{self, Running};

/// A collector that passes logs on over HTTP.
#[derive(Debug)]
pub struct Rotel {
    program: PathBuf,
    log: PathBuf,
    http: u16,
    grpc: u16,
    backend: SocketAddr,
    running: Option<Running>,
}

impl Rotel {
    /// One that passes on to the receiver at `backend`.
    ///
    /// # Errors
    /// `cargo xtask setup` has not been run, or there is no port.
    pub fn new(directory: &std::path::Path, backend: SocketAddr) -> anyhow::Result<Self> {
        let program = process::packages()?.join("rotel/rotel/rotel-agent");
        ensure!(
            program.is_file(),
            "{} is missing: run `cargo xtask setup`",
            program.display()
        );
        Ok(Self {
            program,
            log: directory.join("rotel.log"),
            http: process::free_port()?,
            grpc: process::free_port()?,
            backend,
            running: None,
        })
    }

    /// Where it takes OTLP over HTTP.
    #[must_use]
    pub fn http(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.http))
    }

    /// Where it takes OTLP over gRPC.
    #[must_use]
    pub fn grpc(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.grpc))
    }

    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// It does not.
    pub fn start(&mut self) -> anyhow::Result<()> {
        let mut command = Command::new(&self.program);
        command
            .arg("start")
            .args(["--otlp-http-endpoint", &self.http().to_string()])
            .args(["--otlp-grpc-endpoint", &self.grpc().to_string()])
            .args(["--exporter", "otlp", "--otlp-exporter-protocol", "http"])
            .arg("--otlp-exporter-endpoint")
            .arg(format!("http://{}", self.backend))
            .args(["--otlp-exporter-compression", "gzip", "--disable-batching"])
            .args(["--otlp-grpc-max-recv-msg-size-mib", "16"])
            .env_remove("http_proxy")
            .stderr(std::fs::File::create(&self.log)?);
        self.running = Some(Running::start(command, &[self.http, self.grpc])?);
        Ok(())
    }

    /// Stops it as an operator does: it passes on what it has taken.
    ///
    /// # Errors
    /// It does not run.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.running.take().context("it does not run")?.stop()
    }
}
