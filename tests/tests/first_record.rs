//! The first refusal of a flow is told at once: how soon, the bench says.

use std::net::{Ipv4Addr, SocketAddr};

use enforcer_tests::lab::{Node, RecordSocket, Refused, World};
use tempfile::TempDir;

#[test]
fn each_first_refusal_has_its_record_without_anybody_asking() {
    let directory = TempDir::new().expect("a directory");
    let records = RecordSocket::bind(directory.path()).expect("a socket");
    let world = World::new().expect("a world");
    let node = Node::new().expect("a node");
    let llm = node.root.child("llm").expect("a cgroup");
    node.allow("llm", &["DE"]).expect("a policy");
    let daemon = node.start_with(&["--events", &records.sink()]);
    let daemon = daemon.expect("a daemon");
    let mut refused = Refused::start(&world, &llm).expect("a process");
    for number in 1..=100 {
        let destination = SocketAddr::from((Ipv4Addr::new(52, 0, 0, number), 443));
        refused
            .time_to_record(destination, &records)
            .expect("a record");
    }
    assert!(daemon.terminate().expect("ends").success());
}
