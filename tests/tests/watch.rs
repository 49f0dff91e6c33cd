//! What happens is told as it happens.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
};

use enforcer_tests::lab::{Cgroup, Node, Peer, Probe, World};
use serde_json::Value;

/// A running `enforcer watch`, and its lines. Killed on drop.
struct Watcher {
    child: Child,
    lines: Receiver<String>,
}

impl Watcher {
    fn start(node: &Node, options: &[&str]) -> Self {
        let mut verb = node.instance.verb("watch").expect("enforcer");
        verb.args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = verb.spawn().expect("it starts");
        let stdout = child.stdout.take().expect("a pipe");
        let (tell, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Nobody listens any more.
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// Attempts what is refused, each time to another port, until the watcher has heard of one: when
    /// it listens is not told.
    fn first_line(&self, world: &World, workload: &Cgroup) -> String {
        let probe = Probe::new(world).in_cgroup(workload);
        for port in 1000..1200 {
            let attempt = format!("tcp4 52.0.0.1:{port}");
            probe.attempt(&attempt).expect("an outcome");
            if let Ok(line) = self.lines.try_recv() {
                return line;
            }
        }
        panic!("it never said anything");
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_refusal_is_told_to_every_watcher() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let node = Node::new().expect("a node");
    let llm = node.root.child("llm").expect("a cgroup");
    node.allow("llm", &["DE"]).expect("a policy");
    let daemon = node.start().expect("a daemon");

    let people = Watcher::start(&node, &["--verdict", "deny"]);
    let line = people.first_line(&world, &llm);
    for part in [
        "deny",
        "-> 52.0.0.1:",
        "/tcp",
        "US",
        "AS16509",
        "node/default",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(!line.contains('\x1b'), "{line:?}");

    let machine = Watcher::start(&node, &["--json"]);
    let event: Value = serde_json::from_str(&machine.first_line(&world, &llm)).expect("JSON");
    assert_eq!(event["enforcer"]["verdict"], "deny");
    let number = &event["event"]["sequence"];
    let written = node.events.read().expect("events");
    assert!(
        written.iter().any(|it| it["event"]["sequence"] == *number),
        "{event}"
    );

    let elsewhere = Watcher::start(&node, &["--country", "DE"]);
    people.first_line(&world, &llm);
    assert!(elsewhere.lines.try_recv().is_err());

    // A watcher ends with the daemon.
    assert!(daemon.terminate().expect("ended").success());
    while machine.lines.recv().is_ok() {}
}
