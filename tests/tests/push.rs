//! Policies that are pushed: all or nothing, remembered, and taken back.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    path::Path,
    thread,
};

use enforcer_tests::lab::{Cgroup, Held, Node, Peer, Probe, World, assert_fields, assert_there};
use serde_json::{Value, json};

/// A node that has no policies of its own yet.
fn node() -> Node {
    Node::new().expect("a node")
}

fn push(node: &Node, path: &Path, options: &[&str]) -> Value {
    let path = path.to_str().expect("a plain path");
    let words = [&["policy", "push", path, "--json"], options].concat();
    node.instance.ask(&words).expect("pushed")
}

fn refused(world: &World, workload: &Cgroup, attempt: &str) -> bool {
    let probe = Probe::new(world).in_cgroup(workload);
    let outcome = probe.attempt(attempt).expect("an outcome");
    assert_eq!(outcome.reply, outcome.errno.is_none(), "{outcome:?}");
    outcome.errno_name.as_deref() == Some("EPERM")
}

const DE: &str = "tcp4 3.64.0.1:443";
const US: &str = "tcp4 52.0.0.1:443";

#[test]
fn a_push_is_in_force_when_it_returns() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let node = node();
    let llm = node.root.child("llm").expect("a cgroup");
    let daemon = node.start().expect("a daemon");
    assert!(!refused(&world, &llm, US));

    let de = node.bundle("pushed", "llm", &["DE"]).expect("a file");
    let first = push(&node, &de, &["--wait"]);
    assert_fields(
        &first,
        &[
            ("/revision", json!(1)),
            ("/generation", json!(2)),
            (
                "/documents",
                json!([{"kind": "EgressPolicy", "name": "pushed", "change": "added"}]),
            ),
        ],
    );
    assert!(refused(&world, &llm, US));
    assert!(!refused(&world, &llm, DE));
    // The same again is no revision of its own.
    let again = push(&node, &de, &[]);
    assert_fields(
        &again,
        &[("/revision", json!(1)), ("/generation", json!(2))],
    );

    let us = node.bundle("pushed", "llm", &["US"]).expect("a file");
    assert_fields(&push(&node, &us, &[]), &[("/revision", json!(2))]);
    assert!(!refused(&world, &llm, US));
    assert!(refused(&world, &llm, DE));

    // A daemon that comes after has it too.
    daemon.kill().expect("killed");
    let _daemon = node.start().expect("a daemon");
    assert!(refused(&world, &llm, DE));
    let status = node.status().expect("a status");
    assert_fields(
        &status,
        &[("/revision", json!(2)), ("/last_error", Value::Null)],
    );

    let back = node
        .instance
        .ask(&["policy", "rollback", "--json"])
        .expect("rolled back");
    assert_fields(&back, &[("/revision", json!(3))]);
    assert!(refused(&world, &llm, US));
    let history = node
        .instance
        .ask(&["policy", "history", "--json"])
        .expect("a history");
    assert_fields(
        &history,
        &[
            ("/0/parent", Value::Null),
            ("/0/author/uid", json!(0)),
            ("/0/author/user", json!("root")),
            ("/1/parent", json!(1)),
            ("/2/restores", json!(1)),
            ("/2/parent", json!(2)),
            ("/2/sha256", history[0]["sha256"].clone()),
        ],
    );
    assert_there(&history, &["/0/at", "/0/author/pid", "/0/author/command"]);
    let none = node
        .instance
        .run(&["policy", "rollback", "9"])
        .expect("enforcer");
    assert_eq!(none.status.code(), Some(1));
    let said = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(said.contains("no revision 9"), "{said}");
}

#[test]
fn a_broken_bundle_is_refused_whole() {
    let node = node();
    let _llm = node.root.child("llm").expect("a cgroup");
    let _daemon = node.start().expect("a daemon");
    let sound = node.bundle("sound", "llm", &["DE"]).expect("a file");
    push(&node, &sound, &[]);
    let broken = node.bundle("broken", "llm", &["Germany"]).expect("a file");
    let text = fs::read_to_string(&broken).expect("a file");
    fs::write(&broken, text.replace("deny", "denyy")).expect("written");
    let sound = node.bundle("sound", "llm", &["US"]).expect("a file");
    let paths = [&sound, &broken].map(|path| path.to_str().expect("a plain path"));
    let output = node
        .instance
        .run(&["policy", "push", paths[0], paths[1]])
        .expect("enforcer");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    // All of it, as `policy check` says it.
    for part in [
        "denyy",
        "Germany",
        "broken.yaml:7:12",
        "2 errors",
        "did you mean `deny`?",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let status = node.status().expect("a status");
    assert_fields(
        &status,
        &[("/revision", json!(1)), ("/generation", json!(2))],
    );
    let told = node.wait_for("policies-rejected", 1).expect("an event");
    let told = told
        .iter()
        .find(|it| it["event"]["action"] == "policies-rejected");
    let message = told.expect("it is there")["error"]["message"].to_string();
    assert!(message.contains("broken.yaml:7:12: `denyy`"), "{message}");
    let shown = node
        .instance
        .ask(&["policy", "show", "sound", "--json"])
        .expect("shown");
    assert!(
        shown["text"].as_str().expect("text").contains("[DE]"),
        "{shown}"
    );
}

#[test]
fn directories_and_pushes_stand_side_by_side() {
    let node = Node::new().expect("a node");
    node.allow("llm", &["DE"]).expect("a policy");
    let _llm = node.root.child("llm").expect("a cgroup");
    let _daemon = node.start().expect("a daemon");
    let clash = node.bundle("node", "llm", &["US"]).expect("a file");
    let clash = clash.to_str().expect("a plain path");
    let output = node
        .instance
        .run(&["policy", "push", clash])
        .expect("enforcer");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("two policies are named `node`"), "{said}");

    push(
        &node,
        &node.bundle("one", "llm", &["DE"]).expect("a file"),
        &[],
    );
    push(
        &node,
        &node.bundle("two", "llm", &["DE"]).expect("a file"),
        &[],
    );
    let names = || {
        let list = node
            .instance
            .ask(&["policy", "list", "--json"])
            .expect("a list");
        let entries = list.as_array().expect("an array").iter();
        let mut names: Vec<_> = entries
            .map(|it| {
                (
                    it["name"].as_str().expect("a name").to_owned(),
                    it["revision"].clone(),
                )
            })
            .collect();
        names.sort_by(|a, b| a.0.cmp(&b.0));
        names
    };
    let entry = |name: &str, revision| (name.to_owned(), revision);
    assert_eq!(
        names(),
        [
            entry("node", Value::Null),
            entry("one", json!(2)),
            entry("two", json!(2))
        ]
    );
    let two = node.bundle("two", "llm", &["US"]).expect("a file");
    let pruned = push(&node, &two, &["--prune"]);
    let changes = pruned["documents"].as_array().expect("changes").iter();
    let changes: Vec<_> = changes.map(|it| it["change"].clone()).collect();
    assert_eq!(changes, [json!("removed"), json!("changed")]);
    assert_eq!(
        names(),
        [entry("node", Value::Null), entry("two", json!(3))]
    );
}

/// `GET /v1/status` over the socket of an instance, as a user; the head of the answer.
fn status_as(node: &Node, user: u32) -> String {
    let socket = format!("/run/enforcer/{}.sock", node.instance.name());
    // The mode alone keeps others out; this is about what holds behind it.
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).expect("a socket");
    let ask = thread::spawn(move || {
        // SAFETY: changes the ids of this thread alone; libc's wrapper would change all threads.
        let changed = unsafe { libc::syscall(libc::SYS_setresuid, user, user, user) };
        assert_eq!(changed, 0);
        let mut stream = UnixStream::connect(socket).expect("a connection");
        let request = b"GET /v1/status HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        let mut answer = String::new();
        // Who may not ask is hung up on, before or after it has written.
        let _ = stream
            .write_all(request)
            .and_then(|()| stream.read_to_string(&mut answer));
        answer.lines().next().unwrap_or_default().to_owned()
    });
    ask.join().expect("an answer")
}

#[test]
fn only_root_and_the_user_of_the_daemon_may_ask() {
    let node = node();
    let _daemon = node.start().expect("a daemon");
    assert_eq!(status_as(&node, 0), "HTTP/1.1 200 OK");
    assert_eq!(status_as(&node, 65534), "");
}

#[test]
fn a_dry_run_says_what_would_change_and_changes_nothing() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let node = node();
    let llm = node.root.child("llm").expect("a cgroup");
    let _daemon = node.start().expect("a daemon");
    push(
        &node,
        &node.bundle("pushed", "llm", &["DE"]).expect("a file"),
        &[],
    );
    let wider = node.bundle("pushed", "llm", &["DE", "US"]).expect("a file");
    let told = push(&node, &wider, &["--dry-run"]);
    let effects = told["effects"].as_array().expect("effects");
    let [only] = &effects[..] else {
        panic!("{told:#}");
    };
    assert_fields(
        only,
        &[
            ("/workloads", json!([llm.below_mount()])),
            ("/services", json!(["any"])),
            ("/before/verdict", json!("deny")),
            ("/before/by", json!("pushed/default")),
            ("/after/verdict", json!("allow")),
            ("/after/by", json!("pushed/countries")),
            ("/places", json!(["US"])),
        ],
    );
    assert!(
        only["addresses"].as_u64().expect("a number") >= 1 << 16,
        "{only:#}"
    );
    assert!(refused(&world, &llm, US));
    let status = node.status().expect("a status");
    assert_fields(
        &status,
        &[("/revision", json!(1)), ("/generation", json!(2))],
    );
    // What it foretold comes true, and then there is nothing left to tell.
    push(&node, &wider, &[]);
    assert!(!refused(&world, &llm, US));
    let told = push(&node, &wider, &["--dry-run"]);
    assert_eq!(told["effects"], json!([]));
    let wider = wider.to_str().expect("a plain path");
    let same = node
        .instance
        .run(&["policy", "diff", wider])
        .expect("enforcer");
    assert_eq!(same.status.code(), Some(0), "{same:?}");
}

#[test]
fn a_hundred_pushes_disturb_no_flow_that_all_of_them_allow() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let node = node();
    let llm = node.root.child("llm").expect("a cgroup");
    let _daemon = node.start().expect("a daemon");
    push(
        &node,
        &node.bundle("pushed", "llm", &["DE"]).expect("a file"),
        &[],
    );
    let probe = Probe::new(&world).in_cgroup(&llm);
    let mut flows = ["hold 3.64.0.1:443", "udp-hold [2a05:d014::1]:53"]
        .map(|way| probe.start(way).expect("a probe"));
    for flow in &mut flows {
        assert!(flow.outcome().expect("connected").ok);
    }
    let bundles: [(&str, &[&str]); 2] = [("a", &["DE", "US"]), ("b", &["DE"])];
    thread::scope(|threads| {
        let (ended, end) = std::sync::mpsc::channel::<()>();
        let sender = threads.spawn(move || {
            let mut rounds = 0;
            while end.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                assert!(flows.iter_mut().all(sends), "round {rounds}");
                rounds += 1;
            }
            rounds
        });
        for round in 0..100 {
            let (_, countries) = bundles[round % 2];
            let file = node.bundle("pushed", "llm", countries).expect("a file");
            let pushed = push(&node, &file, &[]);
            assert_eq!(pushed["revision"], json!(round + 2));
            assert_eq!(refused(&world, &llm, US), round % 2 == 1, "round {round}");
        }
        drop(ended);
        let rounds = sender.join().expect("no flow was disturbed");
        assert!(rounds > 100, "{rounds}");
    });
}

fn sends(flow: &mut Held) -> bool {
    flow.send().expect("an outcome").reply
}
