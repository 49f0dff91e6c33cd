//! Sinks against syslog servers as they are run in production: stopped, started again, and the sender
//! killed. Every number must arrive at least once.
//!
//! `cargo xtask setup` unpacks the servers below `target/receivers`. They listen on loopback.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

#[path = "receivers/certificates.rs"]
mod certificates;
#[path = "receivers/server.rs"]
mod server;

use certificates::Certificates;
use server::{Flavour, Server};

const EVENTS: u64 = 100_000;

/// The sender; killed when it is dropped.
struct Source {
    process: Child,
    state: PathBuf,
}

impl Source {
    fn start(state: &Path, sinks: &[String]) -> Self {
        let program = std::env::current_exe().expect("a file");
        let target = program
            .ancestors()
            .nth(2)
            .expect("target/PROFILE/deps/test");
        let process = Command::new(target.join("examples/event_source"))
            .arg(state)
            .arg(EVENTS.to_string())
            .args(sinks)
            .stdout(Stdio::piped())
            .spawn()
            .expect("`cargo test` builds it; for one suite: cargo build --example event_source");
        Self {
            process,
            state: state.to_owned(),
        }
    }

    /// The last number that was given.
    fn sent(&self) -> u64 {
        let text = fs::read_to_string(self.state.join("sequence")).unwrap_or_default();
        let last = text.split_once(' ').map(|(_, last)| last.trim().to_owned());
        last.and_then(|last| last.parse().ok()).unwrap_or(0)
    }

    fn wait_until_sent(&mut self, count: u64) {
        let until = Instant::now() + Duration::from_secs(120);
        while self.sent() < count {
            assert!(Instant::now() < until, "{} of {count} sent", self.sent());
            assert_eq!(
                self.process.try_wait().expect("runs"),
                None,
                "it ended early"
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn kill(mut self) {
        self.process.kill().expect("runs");
        self.process.wait().expect("ends");
    }

    /// Waits until it has delivered everything.
    fn finish(mut self) {
        let status = self.process.wait().expect("ends");
        assert!(status.success(), "{status}");
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The numbers that arrived, from `externalId` of CEF.
fn arrived(file: &Path) -> BTreeSet<u64> {
    let bytes = fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let number = |line: &str| -> Option<u64> {
        let (_, rest) = line.split_once(" externalId=")?;
        rest.split_once(' ')?.0.parse().ok()
    };
    text.lines().filter_map(number).collect()
}

fn assert_all_arrived(file: &Path) {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let arrived = arrived(file);
        let missing: Vec<u64> = (1..=EVENTS)
            .filter(|number| !arrived.contains(number))
            .collect();
        if missing.is_empty() {
            return;
        }
        if Instant::now() > until {
            panic!(
                "{} missing, from {:?}",
                missing.len(),
                &missing[..missing.len().min(10)]
            );
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// The server is stopped and started again while the sender sends, and then the sender is killed.
fn every_number_arrives(flavour: Flavour, tls: bool) {
    let directory = tempfile::tempdir().expect("a directory");
    let certificates = tls.then(|| Certificates::make(directory.path()));
    let mut server = Server::new(flavour, directory.path(), certificates.as_ref());
    server.start();
    let sinks = [server.sink()];
    let state = directory.path().join("state");
    let mut source = Source::start(&state, &sinks);
    source.wait_until_sent(EVENTS / 5);
    server.stop();
    source.wait_until_sent(EVENTS * 2 / 5);
    server.start();
    source.wait_until_sent(EVENTS * 3 / 5);
    source.kill();
    let mut source = Source::start(&state, &sinks);
    source.wait_until_sent(EVENTS * 4 / 5);
    server.stop();
    server.start();
    source.finish();
    assert_all_arrived(server.output());
}

#[test]
fn rsyslog_over_tcp() {
    every_number_arrives(Flavour::Rsyslog, false);
}

#[test]
fn rsyslog_over_tls_with_client_certificates() {
    every_number_arrives(Flavour::Rsyslog, true);
}

#[test]
fn syslog_ng_over_tcp() {
    every_number_arrives(Flavour::SyslogNg, false);
}

#[test]
fn syslog_ng_over_tls_with_client_certificates() {
    every_number_arrives(Flavour::SyslogNg, true);
}
