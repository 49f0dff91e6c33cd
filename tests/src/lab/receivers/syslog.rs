//! rsyslog and syslog-ng on a port of loopback, writing what they get to a file.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use nix::sys::signal::Signal;

use super::{
    certificates::Certificates,
    process::{self, Running},
};

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// rsyslog, by its module `imtcp`.
    Rsyslog,
    /// syslog-ng, by its source `syslog`.
    SyslogNg,
}

/// A syslog server.
#[derive(Debug)]
pub struct SyslogServer {
    flavour: Flavour,
    directory: PathBuf,
    output: PathBuf,
    port: u16,
    tls: Option<Certificates>,
    running: Option<Running>,
}

impl SyslogServer {
    /// One that keeps its files in `directory`, with TLS if there are certificates.
    ///
    /// # Errors
    /// There is no port.
    pub fn new(
        flavour: Flavour,
        directory: &Path,
        tls: Option<&Certificates>,
    ) -> anyhow::Result<Self> {
        let server = Self {
            flavour,
            directory: directory.to_owned(),
            output: directory.join("arrived"),
            port: process::free_port()?,
            tls: tls.cloned(),
            running: None,
        };
        server.present("server")?;
        Ok(server)
    }

    /// Presents the certificate of that name, when it is started next.
    ///
    /// # Errors
    /// The directory is full.
    pub fn present(&self, name: &str) -> anyhow::Result<()> {
        let tls = self.tls.as_ref().map(|files| (files, name));
        let configuration = match self.flavour {
            Flavour::Rsyslog => rsyslog(&self.directory, self.port, &self.output, tls),
            Flavour::SyslogNg => syslog_ng(self.port, &self.output, tls),
        };
        Ok(fs::write(
            self.directory.join("server.conf"),
            configuration,
        )?)
    }

    /// The sink that sends to it.
    #[must_use]
    pub fn sink(&self) -> String {
        let port = self.port;
        match &self.tls {
            None => format!("syslog+tcp://127.0.0.1:{port}"),
            Some(files) => format!(
                "syslog+tls://127.0.0.1:{port}?ca={}&cert={}&key={}",
                files.file("ca.pem"),
                files.file("client.pem"),
                files.file("client.key")
            ),
        }
    }

    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// `cargo xtask setup` has not been run, or it does not listen.
    pub fn start(&mut self) -> anyhow::Result<()> {
        let packages = process::packages()?;
        let triple = format!("{}-linux-gnu", env::consts::ARCH);
        let libraries = packages.join("usr/lib").join(&triple);
        let own = |name: &str| self.directory.join(name);
        let mut command;
        match self.flavour {
            Flavour::Rsyslog => {
                command = Command::new(packages.join("usr/sbin/rsyslogd"));
                command.arg("-n").arg("-f").arg(own("server.conf"));
                command.arg("-i").arg(own("pid"));
                command.arg("-M").arg(libraries.join("rsyslog"));
            }
            Flavour::SyslogNg => {
                command = Command::new(packages.join("usr/sbin/syslog-ng"));
                command.arg("-F").arg("-f").arg(own("server.conf"));
                command.arg("-R").arg(own("persist"));
                command.arg("-c").arg(own("control"));
                command.arg("-p").arg(own("pid"));
                let modules = packages.join("usr/lib/syslog-ng/3.38");
                command.arg(format!("--module-path={}", modules.display()));
            }
        }
        let search = [
            libraries.clone(),
            packages.join("lib").join(&triple),
            packages.join("usr/lib/syslog-ng"),
        ];
        command.env("LD_LIBRARY_PATH", env::join_paths(search)?);
        self.running = Some(Running::start(command, &[self.port])?);
        Ok(())
    }

    /// Stops it as an operator does, and waits for its end.
    ///
    /// # Errors
    /// It does not run.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.running.take().context("it does not run")?.stop()
    }

    /// Has it do nothing (`SIGSTOP`); its kernel takes what is sent all the same.
    ///
    /// # Errors
    /// It does not run.
    pub fn hang(&self) -> anyhow::Result<()> {
        self.running
            .as_ref()
            .context("it does not run")?
            .signal(Signal::SIGSTOP)
    }

    /// Kills it (`SIGKILL`); what it has not read is lost to it.
    pub fn kill(&mut self) {
        self.running = None;
    }

    /// The numbers that arrived, from `externalId` of CEF.
    #[must_use]
    pub fn arrived(&self) -> BTreeSet<u64> {
        let bytes = fs::read(&self.output).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        text.lines().filter_map(number).collect()
    }

    /// Waits until every number up to `count` has arrived.
    ///
    /// # Errors
    /// Some are missing after half a minute.
    pub fn wait_for_all(&self, count: u64) -> anyhow::Result<()> {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let arrived = self.arrived();
            let mut missing = (1..=count).filter(|number| !arrived.contains(number));
            let Some(first) = missing.next() else {
                return Ok(());
            };
            ensure!(
                Instant::now() < until,
                "{} missing, from {first}",
                missing.count() + 1
            );
            thread::sleep(Duration::from_millis(100));
        }
    }
}

/// `externalId` of a line of CEF.
pub(super) fn number(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once(" externalId=")?;
    rest.split_once(' ')?.0.parse().ok()
}

fn rsyslog(
    directory: &Path,
    port: u16,
    output: &Path,
    tls: Option<(&Certificates, &str)>,
) -> String {
    let (directory, output) = (directory.display(), output.display());
    let tls = tls.map_or_else(
        || "module(load=\"imtcp\")\n".to_owned(),
        |(files, name)| {
            format!(
                "global(DefaultNetstreamDriver=\"gtls\" DefaultNetstreamDriverCAFile=\"{}\" \
                 DefaultNetstreamDriverCertFile=\"{}\" DefaultNetstreamDriverKeyFile=\"{}\")\n\
                 module(load=\"imtcp\" StreamDriver.Name=\"gtls\" StreamDriver.Mode=\"1\" \
                 StreamDriver.AuthMode=\"x509/certvalid\")\n",
                files.file("ca.pem"),
                files.file(&format!("{name}.pem")),
                files.file(&format!("{name}.key"))
            )
        },
    );
    format!(
        "global(workDirectory=\"{directory}\")\n{tls}\
         template(name=\"raw\" type=\"string\" string=\"%rawmsg%\\n\")\n\
         input(type=\"imtcp\" port=\"{port}\" address=\"127.0.0.1\")\n\
         action(type=\"omfile\" file=\"{output}\" template=\"raw\")\n"
    )
}

fn syslog_ng(port: u16, output: &Path, tls: Option<(&Certificates, &str)>) -> String {
    let output = output.display();
    let transport = tls.map_or_else(
        || "transport(\"tcp\")".to_owned(),
        |(files, name)| {
            format!(
                "transport(\"tls\") tls(key-file(\"{}\") cert-file(\"{}\") ca-file(\"{}\") \
                 peer-verify(required-trusted))",
                files.file(&format!("{name}.key")),
                files.file(&format!("{name}.pem")),
                files.file("ca.pem")
            )
        },
    );
    format!(
        "@version: 3.35\n\
         options {{ keep-hostname(yes); stats-freq(0); }};\n\
         source s {{ syslog(ip(\"127.0.0.1\") port({port}) {transport} log-iw-size(1000)); }};\n\
         destination d {{ file(\"{output}\" template(\"$MSG\\n\")); }};\n\
         log {{ source(s); destination(d); }};\n"
    )
}
