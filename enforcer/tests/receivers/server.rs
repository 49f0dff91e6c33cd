//! rsyslog and syslog-ng on a port of loopback, writing what they get to a file.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::certificates::Certificates;

#[derive(Clone, Copy)]
pub(super) enum Flavour {
    Rsyslog,
    SyslogNg,
}

pub(super) struct Server {
    flavour: Flavour,
    directory: PathBuf,
    output: PathBuf,
    port: u16,
    sink: String,
    process: Option<Child>,
}

/// Where `cargo xtask setup` has unpacked the packages.
fn packages() -> PathBuf {
    let program = std::env::current_exe().expect("a file");
    let target = program
        .ancestors()
        .nth(3)
        .expect("target/PROFILE/deps/test");
    let packages = target.join("receivers");
    assert!(
        packages.is_dir(),
        "{} is missing: run `cargo xtask setup`",
        packages.display()
    );
    packages
}

impl Server {
    pub(super) fn new(
        flavour: Flavour,
        directory: &Path,
        certificates: Option<&Certificates>,
    ) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let output = directory.join("arrived");
        let configuration = match flavour {
            Flavour::Rsyslog => rsyslog(directory, port, &output, certificates),
            Flavour::SyslogNg => syslog_ng(port, &output, certificates),
        };
        fs::write(directory.join("server.conf"), configuration).expect("writes");
        let sink = match certificates {
            None => format!("syslog+tcp://127.0.0.1:{port}"),
            Some(files) => format!(
                "syslog+tls://127.0.0.1:{port}?ca={}&cert={}&key={}",
                files.file("ca.pem"),
                files.file("client.pem"),
                files.file("client.key")
            ),
        };
        Self {
            flavour,
            directory: directory.to_owned(),
            output,
            port,
            sink,
            process: None,
        }
    }

    pub(super) fn sink(&self) -> String {
        self.sink.clone()
    }

    pub(super) fn output(&self) -> &Path {
        &self.output
    }

    /// Starts it and waits until it listens.
    pub(super) fn start(&mut self) {
        let packages = packages();
        let libraries = packages.join("usr/lib/x86_64-linux-gnu");
        let own = |name: &str| self.directory.join(name);
        let mut command = match self.flavour {
            Flavour::Rsyslog => {
                let mut command = Command::new(packages.join("usr/sbin/rsyslogd"));
                command.arg("-n").arg("-f").arg(own("server.conf"));
                command.arg("-i").arg(own("pid"));
                command.arg("-M").arg(libraries.join("rsyslog"));
                command
            }
            Flavour::SyslogNg => {
                let mut command = Command::new(packages.join("usr/sbin/syslog-ng"));
                command.arg("-F").arg("-f").arg(own("server.conf"));
                command
                    .arg("-R")
                    .arg(own("persist"))
                    .arg("-c")
                    .arg(own("control"));
                command.arg("-p").arg(own("pid"));
                let modules = packages.join("usr/lib/syslog-ng/3.38");
                command.arg(format!("--module-path={}", modules.display()));
                command
            }
        };
        let search = [
            libraries.clone(),
            packages.join("lib/x86_64-linux-gnu"),
            packages.join("usr/lib/syslog-ng"),
        ];
        let search = std::env::join_paths(search).expect("no colons");
        let process = command
            .env("LD_LIBRARY_PATH", search)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("unpacked");
        self.process = Some(process);
        let until = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < until, "it does not listen");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops it as an operator does, and waits for its end.
    pub(super) fn stop(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        let pid = rustix::process::Pid::from_child(&process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("runs");
        process.wait().expect("ends");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // It may have ended.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn rsyslog(
    directory: &Path,
    port: u16,
    output: &Path,
    certificates: Option<&Certificates>,
) -> String {
    let (directory, output) = (directory.display(), output.display());
    let tls = certificates.map_or_else(
        || "module(load=\"imtcp\")\n".to_owned(),
        |files| {
            format!(
                "global(DefaultNetstreamDriver=\"gtls\" DefaultNetstreamDriverCAFile=\"{}\" \
                 DefaultNetstreamDriverCertFile=\"{}\" DefaultNetstreamDriverKeyFile=\"{}\")\n\
                 module(load=\"imtcp\" StreamDriver.Name=\"gtls\" StreamDriver.Mode=\"1\" \
                 StreamDriver.AuthMode=\"x509/certvalid\")\n",
                files.file("ca.pem"),
                files.file("server.pem"),
                files.file("server.key")
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

fn syslog_ng(port: u16, output: &Path, certificates: Option<&Certificates>) -> String {
    let output = output.display();
    let transport = certificates.map_or_else(
        || "transport(\"tcp\")".to_owned(),
        |files| {
            format!(
                "transport(\"tls\") tls(key-file(\"{}\") cert-file(\"{}\") ca-file(\"{}\") \
                 peer-verify(required-trusted))",
                files.file("server.key"),
                files.file("server.pem"),
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
