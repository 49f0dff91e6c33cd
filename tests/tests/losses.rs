//! What is sent is delivered or counted as lost, to the unit: under overload, on a full disk, and with
//! damaged files.

use std::{
    fs,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use enforcer_tests::lab::{
    binary,
    receivers::{Arrivals, Http, Listener, Mood, Report, Source, SyslogFrames, Webhook},
    require_root,
};
use tempfile::TempDir;

const EVENTS: u64 = 100_000;
const PATIENCE: Duration = Duration::from_secs(60);
/// More than a sender ever needs, whatever waits: bytes.
const MEMORY: u64 = 64 << 20;

struct Receiver {
    listener: Listener,
    arrivals: Arc<Arrivals>,
}

impl Receiver {
    /// One that is down.
    fn down() -> Self {
        let arrivals = Arc::new(Arrivals::default());
        let service = Http(Webhook::new(&arrivals));
        let mut listener = Listener::start(service, None).expect("a port");
        listener.stop();
        Self { listener, arrivals }
    }

    fn sink(&self, options: &str) -> String {
        format!("webhook+http://{}?{options}", self.listener.address())
    }

    /// Everything that was sent and not counted as lost has arrived, and nothing else.
    fn assert_adds_up(&self, report: &Report) {
        assert_eq!(report.delivered + report.lost, EVENTS, "{report:?}");
        self.arrivals
            .wait_for(report.delivered, PATIENCE)
            .expect("what was delivered arrived");
        assert_eq!(self.arrivals.count(), report.delivered, "{report:?}");
    }
}

fn of_network(reports: Vec<Report>) -> Report {
    let mut reports = reports.into_iter();
    let found = reports.find(|report| report.sink.starts_with("webhook"));
    found.expect("a report")
}

#[test]
fn overload_is_counted_and_costs_neither_memory_nor_others() {
    let directory = TempDir::new().expect("a directory");
    let mut receiver = Receiver::down();
    let (state, file) = (
        directory.path().join("state"),
        directory.path().join("file"),
    );
    let sinks = [
        receiver.sink("spool=4MiB"),
        format!("file:{}", file.display()),
    ];
    let mut source = Source::start(&state, EVENTS, &sinks).expect("it starts");
    source.wait_until_sent(EVENTS).expect("all are sent");
    let memory = source.peak_memory().expect("it runs");
    assert!(memory < MEMORY, "{memory} bytes");
    receiver.listener.restart().expect("the port is free");
    let report = of_network(source.finish().expect("everything is settled"));
    assert!(report.lost > 0 && report.delivered > 0, "{report:?}");
    receiver.assert_adds_up(&report);
    let lines = fs::read_to_string(&file).expect("a file").lines().count();
    assert_eq!(lines as u64, EVENTS);
}

#[test]
fn a_full_disk_is_counted_and_left_behind() {
    require_root().expect("root");
    let directory = TempDir::new().expect("a directory");
    let mut receiver = Receiver::down();
    let state = directory.path().join("state");
    fs::create_dir(&state).expect("a directory");
    // A file system for this process alone, gone with it.
    let mut command = Command::new("unshare");
    let script = "mount -t tmpfs -o size=4m none \"$1\" && exec \"$0\" \"$@\"";
    command
        .args(["--mount", "--propagation", "private", "sh", "-c", script])
        .arg(binary("event-source").expect("it is built"))
        .arg(&state)
        .arg(EVENTS.to_string())
        .arg(receiver.sink(""));
    let mut source = Source::spawn(command, &state).expect("it starts");
    source.wait_until_sent(EVENTS).expect("all are sent");
    receiver.listener.restart().expect("the port is free");
    let report = of_network(source.finish().expect("everything is settled"));
    assert!(report.lost > 0 && report.delivered > 0, "{report:?}");
    receiver.assert_adds_up(&report);
}

/// Files of records below `state`, the oldest first.
fn segments(state: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for sink in fs::read_dir(state.join("spool")).expect("a spool") {
        let files = fs::read_dir(sink.expect("an entry").path()).expect("a directory");
        let files = files.map(|file| file.expect("an entry").path());
        found.extend(files.filter(|file| file.extension().is_some_and(|end| end == "seg")));
    }
    found.sort();
    found
}

#[test]
fn damaged_files_cost_the_records_that_were_hit_and_are_counted() {
    let directory = TempDir::new().expect("a directory");
    let mut receiver = Receiver::down();
    let (state, sinks) = (directory.path().join("state"), [receiver.sink("")]);
    let mut source = Source::start(&state, EVENTS, &sinks).expect("it starts");
    source.wait_until_sent(EVENTS / 2).expect("half are sent");
    source.kill().expect("it runs");
    let segments = segments(&state);
    assert!(segments.len() > 2, "{segments:?}");
    for segment in &segments[..2] {
        let file = fs::File::options().write(true).read(true).open(segment);
        let file = file.expect("opens");
        let middle = file.metadata().expect("is there").len() / 2;
        let mut byte = [0];
        file.read_exact_at(&mut byte, middle).expect("reads");
        byte[0] ^= 0xff;
        file.write_all_at(&byte, middle).expect("writes");
    }
    let source = Source::start(&state, EVENTS, &sinks).expect("it starts");
    receiver.listener.restart().expect("the port is free");
    let report = of_network(source.finish().expect("everything is settled"));
    assert_eq!((report.damaged, report.lost), (2, 2), "{report:?}");
    receiver.assert_adds_up(&report);
}

/// Its kernel takes what is sent, and takes it to the grave.
#[test]
fn a_syslog_server_that_hangs_and_dies_gets_everything_again() {
    const FEW: u64 = 1000;
    let directory = TempDir::new().expect("a directory");
    let arrivals = Arc::new(Arrivals::default());
    let mut server = Listener::start(SyslogFrames::new(&arrivals), None).expect("a port");
    server.behave(Mood::Silent);
    let sinks = [format!("syslog+tcp://{}", server.address())];
    let state = directory.path().join("state");
    let mut source = Source::start(&state, FEW, &sinks).expect("it starts");
    source.wait_until_sent(FEW).expect("all are sent");
    let until = Instant::now() + PATIENCE;
    while server.accepted() < 2 {
        assert!(Instant::now() < until, "it is not tried again");
        thread::sleep(Duration::from_millis(100));
    }
    server.stop();
    assert_eq!(arrivals.count(), 0);
    server.behave(Mood::Takes);
    server.restart().expect("the port is free");
    arrivals.wait_for(FEW, PATIENCE).expect("all arrive");
}
