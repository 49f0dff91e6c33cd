//! Ten thousand hostile records in each encoding, judged by other programs' readers.
//!
//! * ECS by the published list of fields: every field is one of it, with its type and values.
//! * OCSF by the JSON Schemas of its classes.
//! * CEF by liblognorm, the parser of rsyslog, which `cargo xtask setup` unpacks.

mod cef;
mod ecs;
mod ocsf;
mod records;

use std::{collections::BTreeSet, sync::LazyLock};

use enforcer::events::{
    Observer, Record,
    encode::{Encoder, Format},
};
use proptest::{
    strategy::{Strategy as _, ValueTree as _},
    test_runner::TestRunner,
};
use serde_json::Value;

const RECORDS: usize = 10_000;

static RECORDED: LazyLock<Vec<Record>> = LazyLock::new(|| {
    let mut runner = TestRunner::deterministic();
    let record = records::record();
    let records = (0..RECORDS).map(|_| record.new_tree(&mut runner).expect("a record").current());
    records.collect()
});

/// Each record as one line, without its end. Numbers are those of the records, from 0.
fn lines(format: Format) -> Vec<String> {
    let observer = Observer {
        host: "node-1".into(),
        version: "0.1.0",
        run: "18b2a-1f4".into(),
        stream: "6f9e7a3c-5d20-4d1c-9b8e-2f1b3c4d5e6f".into(),
    };
    let mut encoder = Encoder::new(format, &observer);
    let encode = |(sequence, record)| {
        let mut line = Vec::new();
        encoder.encode(record, sequence, &mut line);
        let line = String::from_utf8(line).expect("UTF-8");
        line.strip_suffix('\n').expect("a line").to_owned()
    };
    (0..).zip(&*RECORDED).map(encode).collect()
}

fn objects(format: Format) -> Vec<Value> {
    let lines = lines(format).into_iter();
    let objects = lines.map(|line| serde_json::from_str(&line).expect("JSON"));
    objects.collect()
}

/// What somebody takes for the end of a line: of `str::splitlines` of Python, and of ECMAScript.
const LINE_ENDS: [char; 10] = [
    '\n', '\u{b}', '\u{c}', '\r', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}',
];

#[test]
fn a_record_is_one_line_and_says_nothing_to_a_terminal() {
    for (format, name) in Format::CHOICES {
        for line in lines(format) {
            assert!(!line.contains(LINE_ENDS), "{name}: {line:?}");
            assert!(!line.contains(char::is_control), "{name}: {line:?}");
        }
    }
}

#[test]
fn every_kind_that_is_published_is_among_them() {
    let published = std::fs::read_to_string("../docs/events.ndjson").expect("the published lines");
    let published = published.lines();
    let published = published.map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let objects = objects(Format::Ecs);
    let kinds = |objects: &[Value]| {
        let kind = |object: &Value| {
            let text = |pointer| object.pointer(pointer)?.as_str().map(str::to_owned);
            (text("/event/action"), text("/enforcer/verdict"))
        };
        objects.iter().map(kind).collect::<BTreeSet<_>>()
    };
    let (published, here) = (kinds(&published.collect::<Vec<_>>()), kinds(&objects));
    let missing: Vec<_> = published.difference(&here).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
