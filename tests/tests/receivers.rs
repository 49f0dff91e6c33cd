//! Sinks against receivers as they are run in production: stopped, started again, and the sender killed.
//! Every number arrives at least once.

use std::{fs, net::TcpListener, path::Path, sync::Arc, time::Duration};

use enforcer::events::{
    Observer, Severity, SinkSpec,
    batch::{Batch, Item, Place},
    sinks::FailureCause,
};
use enforcer_tests::lab::receivers::{
    Arrivals, Certificates, Flavour, Hec, Http, Listener, Otlp, Report, Rotel, Source,
    SyslogServer, TlsFront,
};
use tempfile::TempDir;

const EVENTS: u64 = 100_000;
/// How long the last ones may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What an operator does to a server.
trait Operated {
    fn start(&mut self) -> anyhow::Result<()>;
    fn stop(&mut self) -> anyhow::Result<()>;
}

impl Operated for SyslogServer {
    fn start(&mut self) -> anyhow::Result<()> {
        self.start()
    }

    fn stop(&mut self) -> anyhow::Result<()> {
        self.stop()
    }
}

impl Operated for Rotel {
    fn start(&mut self) -> anyhow::Result<()> {
        self.start()
    }

    fn stop(&mut self) -> anyhow::Result<()> {
        self.stop()
    }
}

impl Operated for Listener {
    fn start(&mut self) -> anyhow::Result<()> {
        self.restart()
    }

    fn stop(&mut self) -> anyhow::Result<()> {
        self.stop();
        Ok(())
    }
}

/// The server is stopped and started again while the sender sends, and then the sender is killed.
fn disturb(server: &mut impl Operated, sink: String, directory: &Path) -> anyhow::Result<Report> {
    let (state, sinks) = (directory.join("state"), [sink]);
    let mut source = Source::start(&state, EVENTS, &sinks)?;
    source.wait_until_sent(EVENTS / 5)?;
    server.stop()?;
    source.wait_until_sent(EVENTS * 2 / 5)?;
    server.start()?;
    source.wait_until_sent(EVENTS * 3 / 5)?;
    source.kill()?;
    let mut source = Source::start(&state, EVENTS, &sinks)?;
    source.wait_until_sent(EVENTS * 4 / 5)?;
    server.stop()?;
    server.start()?;
    let reports = source.finish()?;
    Ok(reports[0].clone())
}

fn syslog(flavour: Flavour, tls: bool) {
    let directory = TempDir::new().expect("a directory");
    let certificates = tls.then(|| Certificates::make(directory.path()).expect("openssl"));
    let server = SyslogServer::new(flavour, directory.path(), certificates.as_ref());
    let mut server = server.expect("a server");
    server.start().expect("it listens");
    let sink = server.sink();
    let report = disturb(&mut server, sink, directory.path()).expect("everything is delivered");
    assert_eq!(report.lost, 0, "{report:?}");
    server.wait_for_all(EVENTS).expect("everything arrived");
}

#[test]
fn rsyslog_over_tcp() {
    syslog(Flavour::Rsyslog, false);
}

#[test]
fn rsyslog_over_tls_with_client_certificates() {
    syslog(Flavour::Rsyslog, true);
}

#[test]
fn syslog_ng_over_tcp() {
    syslog(Flavour::SyslogNg, false);
}

#[test]
fn syslog_ng_over_tls_with_client_certificates() {
    syslog(Flavour::SyslogNg, true);
}

fn token(directory: &Path) -> String {
    let path = directory.join("token");
    fs::write(&path, Hec::token()).expect("writes");
    path.display().to_string()
}

fn assert_all_arrived(arrivals: &Arrivals) {
    arrivals.wait_for(EVENTS, PATIENCE).expect("all arrive");
    let numbers = arrivals.numbers();
    assert_eq!((numbers.first(), numbers.last()), (Some(&1), Some(&EVENTS)));
}

#[test]
fn hec_that_acknowledges() {
    let directory = TempDir::new().expect("a directory");
    let arrivals = Arc::new(Arrivals::default());
    let hec = Http(Arc::new(Hec::new(&arrivals)));
    let mut server = Listener::start(hec, None).expect("a port");
    let sink = format!(
        "splunk-hec+http://{}?token-file={}&index=security&ack=true",
        server.address(),
        token(directory.path())
    );
    let report = disturb(&mut server, sink, directory.path()).expect("everything is delivered");
    assert_eq!(report.lost, 0, "{report:?}");
    assert_all_arrived(&arrivals);
}

#[test]
fn hec_over_tls_and_compressed() {
    let directory = TempDir::new().expect("a directory");
    let certificates = Certificates::make(directory.path()).expect("openssl");
    let arrivals = Arc::new(Arrivals::default());
    let hec = Http(Arc::new(Hec::new(&arrivals)));
    let tls = certificates.server("server").expect("certificates");
    let mut server = Listener::start(hec, Some(tls)).expect("a port");
    let sink = format!(
        "splunk-hec+https://{}?token-file={}&ca={}&gzip=true",
        server.address(),
        token(directory.path()),
        certificates.file("ca.pem")
    );
    let report = disturb(&mut server, sink, directory.path()).expect("everything is delivered");
    assert_eq!(report.lost, 0, "{report:?}");
    assert_all_arrived(&arrivals);
}

/// `sink` is given the directory for files, too.
fn otlp(sink: impl FnOnce(&Rotel, &Path) -> String) {
    let directory = TempDir::new().expect("a directory");
    let arrivals = Arc::new(Arrivals::default());
    let backend = Listener::start(Http(Otlp::new(&arrivals)), None).expect("a port");
    let mut rotel = Rotel::new(directory.path(), backend.address()).expect("it is there");
    rotel.start().expect("it listens");
    let sink = sink(&rotel, directory.path());
    let report = disturb(&mut rotel, sink, directory.path()).expect("everything is delivered");
    assert_eq!(report.lost, 0, "{report:?}");
    assert_all_arrived(&arrivals);
}

#[test]
fn rotel_over_otlp_http() {
    otlp(|rotel, _| format!("otlp+http://{}", rotel.http()));
}

#[test]
fn rotel_over_otlp_grpc() {
    otlp(|rotel, _| format!("otlp+grpc://{}", rotel.grpc()));
}

#[test]
fn rotel_over_otlp_grpc_compressed() {
    otlp(|rotel, _| format!("otlp+grpc://{}?gzip=true", rotel.grpc()));
}

#[test]
fn rotel_over_otlp_grpc_and_tls() {
    let mut front = None;
    otlp(|rotel, directory| {
        let certificates = Certificates::make(directory).expect("openssl");
        let server = certificates.server("server").expect("certificates");
        let front = front.insert(TlsFront::start(&server, rotel.grpc()).expect("a port"));
        let ca = certificates.file("ca.pem");
        format!("otlp+grpcs://{}?ca={ca}", front.address())
    });
}

/// What becomes of one record.
fn send(sink: &str) -> Result<(), FailureCause> {
    let spec: SinkSpec = sink.parse().expect("a sink");
    let mut sink = spec.open(&Observer::this_host()).expect("it opens");
    let mut batch = Batch::default();
    batch.push(Item {
        place: Place(1),
        sequence: 1,
        severity: Severity::Medium,
        at_ns: 0,
        payload: &[],
    });
    sink.send(&batch).map_err(|stopped| stopped.error.cause())
}

#[test]
fn failures_of_grpc_are_told_apart() {
    let directory = TempDir::new().expect("a directory");
    let certificates = Certificates::make(directory.path()).expect("openssl");
    let stranger = certificates.server("stranger").expect("certificates");
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = silent.local_addr().map(|address| (silent, address));
    let (silent, address) = silent.expect("an address");
    let front = TlsFront::start(&stranger, address).expect("a port");
    let ca = certificates.file("ca.pem");
    let sink = format!("otlp+grpcs://{}?ca={ca}", front.address());
    assert_eq!(send(&sink), Err(FailureCause::Tls));
    let sink = format!("otlp+grpc://{address}?timeout=1s");
    assert_eq!(send(&sink), Err(FailureCause::Silent));
    drop(silent);
    assert_eq!(send(&sink), Err(FailureCause::Unreachable));
}
