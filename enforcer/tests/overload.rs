//! More records than a sink takes: what is delivered and what is counted as lost is what was sent.

use std::{
    collections::BTreeSet,
    fs::OpenOptions,
    io::{BufRead as _, BufReader},
    path::Path,
    process::Command,
    sync::Arc,
    thread,
};

use enforcer::events::{
    Facts, NamesInfo, Observer, Outcome, PlaceInfo, Record, Sequence, SinkSpec, Violation,
    pipeline::{BACKLOG_BYTES, Pipeline},
    record::{Destination, Placement},
};
use enforcer_common::abi::{Addr, Port, Proto};
use jiff::Timestamp;
use serde_json::Value;

/// A denial of which little is known: some 700 bytes a line.
fn record() -> Record {
    let facts = Facts {
        outcome: Outcome::Denied,
        reason: None,
        hook: None,
        generation: 1,
        class: None,
        mode: None,
        destination: Destination {
            addr: Addr::from_v4([203, 0, 113, 7]),
            judged: None,
            port: Some(Port(443)),
            proto: Proto::TCP,
            names: NamesInfo::default(),
            place: PlaceInfo::default(),
        },
        source: None,
        process: None,
        cgroup: None,
        placement: Arc::new(Placement::default()),
        workload: None,
        rule: None,
    };
    Record::Violation(Violation {
        facts: Arc::new(facts),
        count: 1,
        bytes: 0,
        start: Timestamp::UNIX_EPOCH,
        end: Timestamp::UNIX_EPOCH,
    })
}

fn pipe(path: &Path) -> BufReader<std::fs::File> {
    let made = Command::new("mkfifo").arg(path).status().expect("mkfifo");
    assert!(made.success());
    // A pipe with both ends in one hand has no end and keeps nobody waiting for the other.
    let file = OpenOptions::new().read(true).write(true).open(path);
    BufReader::new(file.expect("a pipe"))
}

#[test]
fn sent_is_delivered_and_lost() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("events");
    let mut reader = pipe(&path);
    let spec: SinkSpec = format!("file:{}", path.display()).parse().expect("a sink");
    let observer = Observer::this_host();
    let numbers = Sequence::of_run(&observer.run);
    let mut pipeline = Pipeline::open(&observer, &[spec], None, numbers).expect("a pipeline");

    // Nobody reads meanwhile: more than can wait.
    let record = record();
    let sent = BACKLOG_BYTES / 500;
    for number in 1..=sent {
        pipeline.push(&record);
        if number % 1000 == 0 {
            pipeline.flush();
        }
    }
    pipeline.flush();
    let lost = pipeline.status().next().expect("a sink").lost;
    assert!(lost > 0 && lost < sent, "{lost} of {sent}");

    let delivered = sent - lost;
    let arrived = thread::spawn(move || {
        let mut line = String::new();
        let arrived = (0..delivered).map(|_| {
            line.clear();
            reader.read_line(&mut line).expect("a line");
            let value: Value = serde_json::from_str(&line).expect("JSON");
            value["event"]["sequence"].as_u64().expect("a number")
        });
        let arrived = arrived.collect::<Vec<u64>>();
        (arrived, reader)
    });
    let (arrived, _pipe) = arrived.join().expect("no panic");
    let status = loop {
        let status = pipeline.status().next().expect("a sink");
        if status.waiting == 0 {
            break status;
        }
        thread::yield_now();
    };
    assert_eq!((status.delivered, status.lost), (delivered, lost));
    let distinct: BTreeSet<u64> = arrived.iter().copied().collect();
    assert_eq!(distinct.len() as u64, delivered, "each once");
    assert!(arrived.is_sorted() && arrived.last() <= Some(&sent));
}
