//! Enforcement outlives its daemon, is taken over by the next one, and ends with `detach` alone.

use std::{fs, path::PathBuf, process::Stdio, time::Duration};

use aya::maps::{Array, ArrayOfMaps, Map, MapData};
use enforcer_common::abi::{Page, names};
use enforcer_tests::{
    lab::{Cgroup, Node, Peer, Probe, Recorder, World, assert_fields},
    probe::Outcome,
};
use serde_json::{Value, json};

const NOTHING: [PathBuf; 0] = [];

/// Both families, refused and allowed.
const WAYS: [&str; 4] = [
    "tcp4 52.0.0.1:443",
    "udp [2600:1f14::1]:53",
    "tcp4 3.64.0.1:443",
    "udp [2a05:d014::1]:53",
];

#[track_caller]
fn assert_confined(world: &World, workload: &Cgroup) {
    let outcomes = attempts(world, workload);
    let errors = outcomes.iter().map(|it| it.errno_name.as_deref());
    assert!(
        errors.eq([Some("EPERM"), Some("EPERM"), None, None]),
        "{outcomes:?}"
    );
    assert!(outcomes[2].reply && outcomes[3].reply, "{outcomes:?}");
}

#[track_caller]
fn assert_free(world: &World, workload: &Cgroup) {
    let outcomes = attempts(world, workload);
    assert!(outcomes.iter().all(|it| it.reply), "{outcomes:?}");
}

fn attempts(world: &World, workload: &Cgroup) -> Vec<Outcome> {
    let probe = Probe::new(world).in_cgroup(workload);
    probe.run(&WAYS).expect("outcomes")
}

fn denied(events: &[Value]) -> usize {
    let alerts = events.iter().filter(|it| it["event"]["kind"] == "alert");
    alerts.count()
}

#[test]
fn it_outlives_a_killed_daemon_and_the_next_one_takes_over() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let node = Node::new().expect("a node");
    let workload = node.root.child("llm").expect("a cgroup");
    node.allow("llm", &["DE"]).expect("a policy");

    let daemon = node.start().expect("a daemon");
    assert_confined(&world, &workload);
    let running = node.status().expect("a status");
    assert_fields(
        &running,
        &[
            ("/daemon", json!("running")),
            ("/enforcing", json!(true)),
            ("/adopted", json!(false)),
            ("/last_error", Value::Null),
            ("/policies/0/name", json!("node")),
            ("/cgroups/0/cgroup", json!(node.root.below_mount())),
            ("/generation", json!(1)),
        ],
    );
    let memory = running["memory_bytes"].as_u64().expect("a number");
    assert!((1 << 20..32 << 20).contains(&memory), "{memory}");
    let told = node.events.wait_until(|events| denied(events) == 2);
    let told = told.expect("two events");
    let first = told.iter().find(|it| it["event"]["kind"] == "alert");
    assert_fields(
        first.expect("an alert"),
        &[
            ("/enforcer/workload_kind", json!("cgroup")),
            ("/enforcer/workload", json!(workload.below_mount())),
            ("/enforcer/cgroup", json!(workload.below_mount())),
            ("/rule/ruleset", json!("node")),
            ("/process/name", json!("probe")),
        ],
    );

    daemon.kill().expect("killed");
    assert_confined(&world, &workload);
    let stopped = node.status().expect("a status");
    assert_fields(
        &stopped,
        &[
            ("/daemon", json!("stopped")),
            ("/enforcing", json!(true)),
            ("/generation", json!(1)),
            ("/cgroups", running["cgroups"].clone()),
        ],
    );

    let _daemon = node.start().expect("a daemon");
    assert_confined(&world, &workload);
    let adopted = node.status().expect("a status");
    assert_fields(
        &adopted,
        &[
            ("/daemon", json!("running")),
            ("/enforcing", json!(true)),
            ("/adopted", json!(true)),
            ("/cgroups", running["cgroups"].clone()),
        ],
    );
    // Nothing was lost: what was refused while nobody listened is told now.
    let told = node.events.wait_until(|events| denied(events) >= 6);
    told.expect("events of all three times");
}

#[test]
fn it_outlives_a_daemon_that_is_asked_to_end() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let node = Node::new().expect("a node");
    let workload = node.root.child("llm").expect("a cgroup");
    node.allow("llm", &["DE"]).expect("a policy");
    let daemon = node.start().expect("a daemon");
    let status = daemon.terminate().expect("the end");
    assert!(status.success(), "{status}");
    node.wait_for("daemon-stopped", 1).expect("an event");
    assert_confined(&world, &workload);
}

#[test]
fn detach_ends_it() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let node = Node::new().expect("a node");
    let workload = node.root.child("llm").expect("a cgroup");
    node.allow("llm", &["DE"]).expect("a policy");
    node.start().expect("a daemon").kill().expect("killed");
    assert_confined(&world, &workload);

    let detach = node.instance.verb("detach").expect("enforcer").output();
    let detach = detach.expect("enforcer");
    assert!(detach.status.success(), "{detach:?}");
    assert_eq!(node.instance.traces(), NOTHING);
    assert_free(&world, &workload);
    let status = node.instance.verb("status").expect("enforcer").output();
    assert_eq!(status.expect("a status").status.code(), Some(3));

    let _daemon = node.start().expect("a daemon");
    assert_confined(&world, &workload);
    let again = node.status().expect("a status");
    assert_fields(&again, &[("/adopted", json!(false))]);
}

#[test]
fn detach_ends_a_daemon_that_runs() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let node = Node::new().expect("a node");
    let workload = node.root.child("llm").expect("a cgroup");
    node.allow("llm", &["DE"]).expect("a policy");
    let daemon = node.start().expect("a daemon");
    assert_confined(&world, &workload);
    // A cgroup that comes now must not make it attach anything again.
    let _late = node.root.child("late").expect("a cgroup");

    let detach = node.instance.run(&["detach"]).expect("enforcer");
    assert!(detach.status.success(), "{detach:?}");
    let ended = daemon.wait().expect("the end");
    assert!(ended.success(), "{ended}");
    assert_eq!(node.instance.traces(), NOTHING);
    assert_free(&world, &workload);
    node.wait_for("enforcement-detached", 1).expect("an event");
    let status = node.instance.run(&["status"]).expect("a status");
    assert_eq!(status.status.code(), Some(3));
}

#[test]
fn links_that_hold_nothing_are_not_called_enforcement() {
    let node = Node::new().expect("a node");
    node.allow("llm", &["DE"]).expect("a policy");
    node.start().expect("a daemon").kill().expect("killed");
    let status = node.status().expect("a status");
    assert_fields(&status, &[("/enforcing", json!(true))]);
    let Node { instance, root, .. } = node;
    drop(root);
    let status = instance.run(&["status", "--json"]).expect("a status");
    let told: Value = serde_json::from_slice(&status.stdout).expect("JSON");
    assert_fields(
        &told,
        &[("/enforcing", json!(false)), ("/daemon", json!("stopped"))],
    );
    assert_eq!(status.status.code(), Some(3));
}

#[test]
fn a_cgroup_that_nobody_has_looked_at_is_held() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let recorder = Recorder::new(&world).expect("a recorder");
    let node = Node::new().expect("a node");
    node.allow("llm", &["DE"]).expect("a policy");
    node.start().expect("a daemon").kill().expect("killed");

    let late = node.root.child("llm").expect("a cgroup");
    let elsewhere = node.root.child("elsewhere").expect("a cgroup");
    let patient = Probe::new(&world).timeout(Duration::from_secs(30));
    // Their packets wait: TCP tries again by itself until they are known.
    let mut held = patient
        .clone()
        .in_cgroup(&late)
        .start("hold 3.64.0.1:443")
        .expect("a probe");
    let mut free = patient
        .in_cgroup(&elsewhere)
        .start("hold 52.0.0.2:443")
        .expect("a probe");
    let outcomes = Probe::new(&world)
        .in_cgroup(&late)
        .run(&["udp 3.64.0.3:53", "tcp4 52.0.0.3:443"])
        .expect("outcomes");
    assert!(outcomes.iter().all(|it| !it.reply), "{outcomes:?}");
    let arrivals = recorder.arrivals().expect("arrivals");
    let theirs = arrivals.iter().find(|it| matches!(it.proto, Some(6 | 17)));
    assert_eq!(theirs, None);

    let _daemon = node.start().expect("a daemon");
    assert!(held.outcome().expect("an outcome").ok);
    assert!(held.send().expect("an outcome").reply);
    assert!(free.outcome().expect("an outcome").ok);
    assert_confined(&world, &late);
    assert_free(&world, &elsewhere);
}

#[test]
fn one_that_nobody_has_looked_at_is_refused_where_that_is_asked_for() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let mut node = Node::new().expect("a node");
    node.allow("llm", &["DE"]).expect("a policy");
    node.arguments(["--unknown", "deny"]);
    node.start().expect("a daemon").kill().expect("killed");
    let late = node.root.child("llm").expect("a cgroup");
    let outcomes = attempts(&world, &late);
    let refused = |it: &Outcome| it.errno_name.as_deref() == Some("EPERM");
    assert!(outcomes.iter().all(refused), "{outcomes:?}");
    let _daemon = node.start().expect("a daemon");
    assert_confined(&world, &late);
}

#[test]
fn what_a_dead_publisher_left_half_done_is_finished() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let node = Node::new().expect("a node");
    let llm = node.root.child("llm").expect("a cgroup");
    node.allow("llm", &["DE"]).expect("a policy");
    let daemon = node.start().expect("a daemon");
    let run = fs::read_dir(node.instance.pins()).expect("pins").next();
    let maps = run.expect("a run").expect("an entry").path().join("maps");
    let pin = |suffix: &str| maps.join(format!("{}{suffix}", names::IMAGE));
    let image = |at: PathBuf| -> Array<MapData, Page> {
        let data = MapData::from_pin(at).expect("an image");
        Map::Array(data).try_into().expect("pages")
    };
    let before = MapData::from_pin(pin("-current")).expect("an image");
    node.allow("llm", &["US"]).expect("a policy");
    node.wait_for("policies-loaded", 1).expect("loaded");
    daemon.kill().expect("killed");
    node.write_policy("broken").expect("a file");

    let judged_by = |country: &str| {
        let outcomes = attempts(&world, &llm);
        let passes = if country == "DE" {
            [false, false, true, true]
        } else {
            [true, true, false, false]
        };
        let replies = outcomes.iter().map(|it| it.reply);
        assert!(replies.eq(passes), "{country}: {outcomes:?}");
    };
    // It has pinned the next image, and not yet put it in the place of the one in force; or it has.
    for in_place in [false, true] {
        fs::rename(pin("-current"), pin("-next")).expect("renamed");
        before.pin(pin("-current")).expect("pinned");
        if !in_place {
            let slot = MapData::from_pin(pin("")).expect("a slot");
            let slot: Result<ArrayOfMaps<_, Array<MapData, Page>>, _> =
                Map::ArrayOfMaps(slot).try_into();
            let outcome = slot.expect("a slot").set(0, &image(pin("-current")), 0);
            outcome.expect("the old image");
        }
        judged_by(if in_place { "US" } else { "DE" });
        let daemon = node.start().expect("a daemon");
        judged_by("US");
        assert!(!pin("-next").exists());
        daemon.kill().expect("killed");
        judged_by("US");
    }
}

#[test]
fn cgroups_that_come_later_are_found() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let node = Node::new().expect("a node");
    node.allow("llm", &["DE"]).expect("a policy");
    let _daemon = node.start().expect("a daemon");
    // Unknown for a moment, so TCP may have to try again.
    let ways = |workload: &Cgroup| {
        let probe = Probe::new(&world)
            .in_cgroup(workload)
            .timeout(Duration::from_secs(15));
        let ways = ["tcp4 3.64.0.1:443", "tcp4 52.0.0.1:443"];
        let outcomes = probe.run(&ways).expect("outcomes");
        outcomes.iter().map(|it| it.reply).collect::<Vec<_>>()
    };
    let llm = node.root.child("llm").expect("a cgroup");
    assert_eq!(ways(&llm), [true, false]);
    let below = llm.child("below").expect("a cgroup");
    assert_eq!(ways(&below), [true, false]);
    let elsewhere = node.root.child("elsewhere").expect("a cgroup");
    assert_eq!(ways(&elsewhere), [true, true]);
}

#[test]
fn one_daemon_for_an_instance() {
    let node = Node::new().expect("a node");
    node.allow("llm", &["DE"]).expect("a policy");
    let _daemon = node.start().expect("a daemon");
    let second = node
        .command()
        .expect("enforcer")
        .output()
        .expect("enforcer");
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("a daemon for instance"), "{said}");
    assert_eq!(node.status().expect("a status")["daemon"], "running");
}

#[test]
fn nothing_is_changed_when_the_first_policies_are_broken() {
    let node = Node::new().expect("a node");
    let broken = node.policy("llm", &["Germany"]);
    node.write_policy(&broken).expect("a policy");
    let output = node
        .command()
        .expect("enforcer")
        .stdin(Stdio::null())
        .output()
        .expect("enforcer");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("node.yaml:9:61"), "{said}");
    assert_eq!(node.instance.traces(), NOTHING);
}
