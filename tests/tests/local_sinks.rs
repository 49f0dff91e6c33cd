//! Sinks on this machine, at a running daemon: a file that is put aside, and the journal.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::net::UnixDatagram,
    time::{Duration, Instant},
};

use enforcer_tests::lab::{Cgroup, EventFile, Node, Peer, Probe, World};
use nix::sys::signal::Signal;
use serde_json::Value;

struct Scene {
    world: World,
    _peer: Peer,
    node: Node,
    llm: Cgroup,
}

impl Scene {
    fn new() -> Self {
        let world = World::new().expect("a world");
        let _peer = Peer::new(&world).expect("a peer");
        let node = Node::new().expect("a node");
        let llm = node.root.child("llm").expect("a cgroup");
        node.allow("llm", &["DE"]).expect("a policy");
        Self {
            world,
            _peer,
            node,
            llm,
        }
    }

    /// A refusal that nobody has seen before.
    fn refuse(&self, port: u16) {
        let probe = Probe::new(&self.world).in_cgroup(&self.llm);
        let attempt = format!("tcp4 52.0.0.1:{port}");
        probe.attempt(&attempt).expect("an outcome");
    }
}

fn denials(events: &[Value]) -> usize {
    let denied = |event: &&Value| event["event"]["action"] == "connection-denied";
    events.iter().filter(denied).count()
}

#[test]
fn a_file_that_was_put_aside_is_left_at_a_hangup_and_no_line_is_lost() {
    let scene = Scene::new();
    let events = &scene.node.events;
    let daemon = scene.node.start().expect("a daemon");
    scene.refuse(1000);
    events
        .wait_until(|events| denials(events) == 1)
        .expect("a line");
    let aside = EventFile::at(events.path().with_extension("1"));
    fs::rename(events.path(), aside.path()).expect("renames");
    daemon.signal(Signal::SIGHUP).expect("it runs");
    // When it is followed is not told: refusals before that are in the old file.
    let until = Instant::now() + Duration::from_secs(30);
    let mut port = 1001;
    while denials(&events.read().expect("lines")) == 0 {
        assert!(Instant::now() < until, "the new file stays empty");
        scene.refuse(port);
        port += 1;
    }
    assert!(daemon.terminate().expect("ends").success());
    let mut all = aside.read().expect("lines");
    all.extend(events.read().expect("lines"));
    assert_eq!(denials(&all), usize::from(port - 1000));
    let numbers = all.iter().map(|event| event["event"]["sequence"].as_u64());
    let numbers: Vec<u64> = numbers.map(|number| number.expect("a number")).collect();
    let expected: Vec<u64> = (1..=numbers.len() as u64).collect();
    assert_eq!(numbers, expected);
}

#[test]
fn the_journal_gets_every_event_with_its_fields() {
    let scene = Scene::new();
    let path = scene.node.events.path().with_file_name("journal");
    let journal = UnixDatagram::bind(&path).expect("binds");
    let patience = Some(Duration::from_secs(10));
    journal.set_read_timeout(patience).expect("a timeout");
    let sink = format!("journald:{}", path.display());
    let daemon = scene
        .node
        .start_with(&["--events", &sink])
        .expect("a daemon");
    for port in 1000..1010 {
        scene.refuse(port);
    }
    let mut destinations = 0;
    let mut numbers = BTreeSet::new();
    while destinations < 10 {
        let mut entry = vec![0; 64 << 10];
        let length = journal.recv(&mut entry).expect("an entry");
        let entry = String::from_utf8_lossy(&entry[..length]).into_owned();
        let field = |name: &str| -> Option<String> {
            let mut lines = entry.lines();
            let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            found.map(str::to_owned)
        };
        assert_eq!(field("SYSLOG_IDENTIFIER").as_deref(), Some("enforcer"));
        let number = field("ENFORCER_SEQUENCE").and_then(|number| number.parse::<u64>().ok());
        numbers.insert(number.expect("a number"));
        if field("ENFORCER_VERDICT").as_deref() == Some("deny") {
            assert_eq!(field("PRIORITY").as_deref(), Some("4"), "{entry}");
            assert_eq!(field("ENFORCER_COUNTRY").as_deref(), Some("US"), "{entry}");
            assert_eq!(field("ENFORCER_POLICY").as_deref(), Some("node"), "{entry}");
            destinations += 1;
        }
    }
    let expected: BTreeSet<u64> = (1..=numbers.len() as u64).collect();
    assert_eq!(numbers, expected);
    assert!(daemon.terminate().expect("ends").success());
}
