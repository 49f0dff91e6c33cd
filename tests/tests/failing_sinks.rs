//! Receivers that misbehave, each in its own way, at one daemon: nothing is lost, nobody else waits, and
//! the status says who fails and why.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use enforcer_tests::lab::{
    Cgroup, Node, Peer, Probe, World,
    receivers::{Arrivals, Certificates, Hec, Http, Listener, Mood, Otlp, SyslogFrames, Webhook},
};
use nix::sys::signal::Signal;
use rustls::ServerConfig;
use serde_json::Value;
use tempfile::TempDir;

/// A machine that does other work may take so long for anything.
const PATIENCE: Duration = Duration::from_secs(120);

/// A receiver that misbehaves.
struct Bad {
    listener: Listener,
    arrivals: Arc<Arrivals>,
    sink: String,
    /// Cause and words of the failure that the status must have.
    cause: &'static str,
    words: &'static str,
    /// Has it behave.
    mend: Box<dyn Fn(&Listener)>,
}

impl Bad {
    fn new(
        scheme: &str,
        (listener, arrivals): (Listener, Arc<Arrivals>),
        (cause, words): (&'static str, &'static str),
    ) -> Self {
        Self {
            sink: format!("{scheme}://{}", listener.address()),
            listener,
            arrivals,
            cause,
            words,
            mend: Box::new(|listener| listener.behave(Mood::Takes)),
        }
    }

    fn with(mut self, options: &str) -> Self {
        self.sink = format!("{}?{options}", self.sink);
        self
    }

    fn in_mood(self, mood: Mood) -> Self {
        self.listener.behave(mood);
        self
    }

    fn mended_by(mut self, mend: impl Fn(&Listener) + 'static) -> Self {
        self.mend = Box::new(mend);
        self
    }

    fn name(&self) -> &str {
        self.sink.split('?').next().unwrap_or_default()
    }
}

fn webhook(tls: Option<Arc<ServerConfig>>) -> (Listener, Arc<Arrivals>) {
    let arrivals = Arc::new(Arrivals::default());
    let listener = Listener::start(Http(Webhook::new(&arrivals)), tls);
    (listener.expect("a port"), arrivals)
}

fn syslog(tls: Option<Arc<ServerConfig>>) -> (Listener, Arc<Arrivals>) {
    let arrivals = Arc::new(Arrivals::default());
    let listener = Listener::start(SyslogFrames::new(&arrivals), tls);
    (listener.expect("a port"), arrivals)
}

fn otlp() -> (Listener, Arc<Arrivals>) {
    let arrivals = Arc::new(Arrivals::default());
    let listener = Listener::start(Http(Otlp::new(&arrivals)), None);
    (listener.expect("a port"), arrivals)
}

fn hec() -> ((Listener, Arc<Arrivals>), Arc<Hec>) {
    let arrivals = Arc::new(Arrivals::default());
    let hec = Arc::new(Hec::new(&arrivals));
    let listener = Listener::start(Http(Arc::clone(&hec)), None);
    ((listener.expect("a port"), arrivals), hec)
}

fn every_kind(directory: &TempDir, certificates: &Certificates) -> Vec<Bad> {
    let server = certificates.server("server").expect("certificates");
    let stranger = || Some(certificates.server("stranger").expect("certificates"));
    let as_server = move |listener: &Listener| listener.present(Arc::clone(&server));
    let token = directory.path().join("token");
    fs::write(&token, Hec::token()).expect("writes");
    let (token, ca) = (token.display(), certificates.file("ca.pem"));
    let (busy, _) = hec();
    let (misdirected, collector) = hec();
    vec![
        Bad::new("webhook+http", webhook(None), ("silent", "no answer"))
            .with("timeout=1s")
            .in_mood(Mood::Silent),
        Bad::new("splunk-hec+http", busy, ("busy", "429"))
            .with(&format!("token-file={token}"))
            .in_mood(Mood::Busy(429, Some(1))),
        Bad::new("splunk-hec+http", misdirected, ("forbidden", "\"code\":7"))
            .with(&format!("token-file={token}&index=audit"))
            .mended_by(move |_| collector.rename_index("audit")),
        Bad::new("otlp+http", otlp(), ("busy", "503"))
            .with("gzip=true")
            .in_mood(Mood::Busy(503, None)),
        Bad::new("webhook+http", webhook(None), ("closed", "reset")).in_mood(Mood::Resets),
        Bad::new("webhook+https", webhook(stranger()), ("tls", "certificate"))
            .with(&format!("ca={ca}"))
            .mended_by(as_server.clone()),
        Bad::new("syslog+tls", syslog(stranger()), ("tls", "certificate"))
            .with(&format!("ca={ca}"))
            .mended_by(as_server),
        Bad::new("syslog+tcp", syslog(None), ("silent", "server"))
            .with("timeout=1s")
            .in_mood(Mood::Silent),
        Bad::new("syslog+tcp", syslog(None), ("closed", "reset")).in_mood(Mood::Resets),
    ]
}

/// The sinks of the status, by name.
fn sinks(node: &Node) -> BTreeMap<String, Value> {
    let status = node.status().expect("status");
    let sinks = status["sinks"].as_array().cloned().unwrap_or_default();
    let named = sinks.into_iter().map(|sink| {
        let name = sink["name"].as_str().unwrap_or_default().to_owned();
        (name, sink)
    });
    named.collect()
}

fn wait_until(node: &Node, what: &str, holds: impl Fn(&BTreeMap<String, Value>) -> bool) {
    let until = Instant::now() + PATIENCE;
    loop {
        let sinks = sinks(node);
        if holds(&sinks) {
            return;
        }
        assert!(Instant::now() < until, "not {what}: {sinks:#?}");
        thread::sleep(Duration::from_millis(100));
    }
}

fn fails(sinks: &BTreeMap<String, Value>, bad: &Bad) -> bool {
    let Some(sink) = sinks.get(bad.name()) else {
        return false;
    };
    let causes = sink["failures"].as_array().cloned().unwrap_or_default();
    let told = sink["error"].as_str().unwrap_or_default();
    sink["state"] == "failing"
        && told.contains(bad.words)
        && causes.iter().any(|cause| cause["name"] == bad.cause)
        && sink["waiting"].as_u64() > Some(0)
}

fn refuse(world: &World, workload: &Cgroup, ports: std::ops::Range<u16>) {
    let attempts: Vec<String> = ports.map(|port| format!("tcp4 52.0.0.1:{port}")).collect();
    let attempts: Vec<&str> = attempts.iter().map(String::as_str).collect();
    let probe = Probe::new(world).in_cgroup(workload);
    probe.run(&attempts).expect("outcomes");
}

#[test]
fn who_misbehaves_is_named_and_gets_everything_in_the_end() {
    let directory = TempDir::new().expect("a directory");
    let certificates = Certificates::make(directory.path()).expect("openssl");
    let all = every_kind(&directory, &certificates);
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let node = Node::new().expect("a node");
    let llm = node.root.child("llm").expect("a cgroup");
    node.allow("llm", &["DE"]).expect("a policy");
    let options: Vec<&str> = all.iter().flat_map(|bad| ["--events", &bad.sink]).collect();
    let daemon = node.start_with(&options).expect("a daemon");

    refuse(&world, &llm, 1000..2000);
    let told = |events: &[Value]| {
        let denied = |event: &&Value| event["event"]["action"] == "connection-denied";
        events.iter().filter(denied).count()
    };
    // The file waits for none of them.
    node.events
        .wait_until(|events| told(events) == 1000)
        .expect("a thousand refusals");
    for bad in &all {
        wait_until(&node, bad.name(), |sinks| fails(sinks, bad));
    }
    daemon.kill().expect("it runs");

    let daemon = node.start_with(&options).expect("a daemon");
    refuse(&world, &llm, 2000..3000);
    node.events
        .wait_until(|events| told(events) == 2000)
        .expect("two thousand refusals");
    for bad in &all {
        wait_until(&node, bad.name(), |sinks| fails(sinks, bad));
    }
    for bad in &all {
        (bad.mend)(&bad.listener);
    }
    // As an operator would: the pauses between attempts have become long.
    daemon.signal(Signal::SIGHUP).expect("it runs");
    wait_until(&node, "all delivered", |sinks| {
        let done = |sink: &Value| sink["state"] == "fine" && sink["waiting"] == 0;
        sinks.len() == all.len() + 1 && sinks.values().all(done)
    });
    for (name, sink) in sinks(&node) {
        assert_eq!(sink["lost"], 0, "{name}: {sink}");
    }
    assert!(daemon.terminate().expect("ends").success());

    let sets = all.iter().map(|bad| bad.arrivals.numbers());
    let sets: Vec<BTreeSet<u64>> = sets.collect();
    let last = sets.iter().filter_map(|set| set.last().copied()).max();
    let expected: BTreeSet<u64> = (1..=last.expect("numbers")).collect();
    for (bad, set) in all.iter().zip(&sets) {
        let missing: Vec<_> = expected.difference(set).collect();
        assert!(missing.is_empty(), "{}: {missing:?}", bad.name());
    }
}
