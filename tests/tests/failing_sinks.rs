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
use serde_json::Value;
use tempfile::TempDir;

/// The HTTP client waits half a minute for an answer, and pauses between attempts grow as long.
const PATIENCE: Duration = Duration::from_secs(120);

/// A receiver, what it got, and how it misbehaves.
struct Bad {
    listener: Listener,
    arrivals: Arc<Arrivals>,
    sink: String,
    /// Cause and words of the failure that the status must have.
    cause: &'static str,
    words: &'static str,
}

impl Bad {
    fn name(&self) -> &str {
        self.sink.split('?').next().unwrap_or_default()
    }
}

fn every_kind(directory: &TempDir, certificates: &Certificates) -> Vec<Bad> {
    let stranger = || Some(certificates.server("stranger").expect("certificates"));
    let token = directory.path().join("token");
    fs::write(&token, Hec::token()).expect("writes");
    let (token, ca) = (token.display(), certificates.file("ca.pem"));
    let mut all = Vec::new();
    let mut add = |listener: Listener, arrivals, scheme: &str, options: &str, cause, words| {
        let sink = format!("{scheme}://{}?{options}", listener.address());
        all.push(Bad {
            listener,
            arrivals,
            sink,
            cause,
            words,
        });
    };
    let arrivals = || Arc::new(Arrivals::default());

    let got = arrivals();
    let listener = Listener::start(Http(Webhook::new(&got)), None).expect("a port");
    listener.behave(Mood::Silent);
    add(listener, got, "webhook+http", "", "silent", "no answer");

    let got = arrivals();
    let hec = Http(Arc::new(Hec::new(&got)));
    let listener = Listener::start(hec, None).expect("a port");
    listener.behave(Mood::Busy(429, Some(1)));
    let options = format!("token-file={token}");
    add(listener, got, "splunk-hec+http", &options, "busy", "429");

    let got = arrivals();
    let listener = Listener::start(Http(Otlp::new(&got)), None).expect("a port");
    listener.behave(Mood::Busy(503, None));
    add(listener, got, "otlp+http", "gzip=true", "busy", "503");

    let got = arrivals();
    let listener = Listener::start(Http(Webhook::new(&got)), None).expect("a port");
    listener.behave(Mood::Resets);
    add(listener, got, "webhook+http", "", "closed", "reset");

    let got = arrivals();
    let listener = Listener::start(Http(Webhook::new(&got)), stranger()).expect("a port");
    let options = format!("ca={ca}");
    add(
        listener,
        got,
        "webhook+https",
        &options,
        "tls",
        "certificate",
    );

    let got = arrivals();
    let listener = Listener::start(SyslogFrames::new(&got), stranger()).expect("a port");
    add(listener, got, "syslog+tls", &options, "tls", "certificate");

    let got = arrivals();
    let listener = Listener::start(SyslogFrames::new(&got), None).expect("a port");
    listener.behave(Mood::Silent);
    add(listener, got, "syslog+tcp", "", "silent", "server");

    let got = arrivals();
    let listener = Listener::start(SyslogFrames::new(&got), None).expect("a port");
    listener.behave(Mood::Resets);
    add(listener, got, "syslog+tcp", "", "closed", "reset");
    all
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
        bad.listener.behave(Mood::Takes);
        if bad.cause == "tls" {
            let server = certificates.server("server").expect("certificates");
            bad.listener.present(server);
        }
    }
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
