use std::{
    collections::BTreeMap,
    fs::File,
    io::{IoSliceMut, Read as _, Seek as _, SeekFrom, Write as _},
    mem::MaybeUninit,
    os::unix::net::UnixDatagram,
    path::Path,
    time::Duration,
};

use jiff::Timestamp;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde_json::Value;

use super::{Batch, Item, JournaldSink, Sink as _};
use crate::events::{
    batch::Place,
    encode::{Encoder, Format},
    record::{DaemonEvent, Record, Severity},
    samples::observer,
    sinks::{FailureCause, SinkSpec},
};

/// Listens as journald does.
fn journal(path: &Path) -> UnixDatagram {
    let socket = UnixDatagram::bind(path).expect("binds");
    let patience = Some(Duration::from_secs(10));
    socket.set_read_timeout(patience).expect("a timeout");
    socket
}

/// The bytes of one entry, and whether they came in a file.
fn entry(socket: &UnixDatagram) -> (Vec<u8>, bool) {
    let mut bytes = vec![0; 1 << 20];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut attached = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(
        socket,
        &mut [IoSliceMut::new(&mut bytes)],
        &mut attached,
        RecvFlags::CMSG_CLOEXEC,
    );
    bytes.truncate(received.expect("an entry").bytes);
    let Some(RecvAncillaryMessage::ScmRights(mut files)) = attached.drain().next() else {
        return (bytes, false);
    };
    let mut file = File::from(files.next().expect("a file"));
    assert!(bytes.is_empty(), "a file and text");
    assert!(file.write_all(b"x").is_err(), "it is sealed");
    file.seek(SeekFrom::Start(0)).expect("seeks");
    file.read_to_end(&mut bytes).expect("reads");
    (bytes, true)
}

/// Reads fields as the protocol has them.
fn fields(mut entry: &[u8]) -> BTreeMap<String, String> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    let mut fields = BTreeMap::new();
    while !entry.is_empty() {
        let end = entry
            .iter()
            .position(|byte| *byte == b'\n')
            .expect("a line");
        let line = text(&entry[..end]);
        entry = &entry[end + 1..];
        if let Some((name, value)) = line.split_once('=') {
            fields.insert(name.to_owned(), value.to_owned());
            continue;
        }
        let (length, rest) = entry.split_first_chunk::<8>().expect("a length");
        let (value, rest) = rest.split_at(u64::from_le_bytes(*length) as usize);
        fields.insert(line, text(value));
        entry = &rest[1..];
    }
    fields
}

fn batch(events: &[DaemonEvent]) -> Batch {
    let mut encoder = Encoder::new(Format::Journal, &observer());
    let mut batch = Batch::default();
    for (event, number) in events.iter().zip(1..) {
        let record = Record::Daemon(Timestamp::UNIX_EPOCH, event.clone());
        let mut payload = Vec::new();
        encoder.encode(&record, number, &mut payload);
        batch.push(Item {
            place: Place(number),
            sequence: number,
            severity: Severity::High,
            at_ns: 0,
            payload: &payload,
        });
    }
    batch
}

#[test]
fn an_entry_has_a_sentence_a_priority_and_the_event() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("socket");
    let journal = journal(&path);
    let spec: SinkSpec = format!("journald:{}", path.display())
        .parse()
        .expect("a sink");
    let mut sink = spec.open(&observer()).expect("a sink");
    let events = [
        DaemonEvent::Stopped,
        DaemonEvent::SinkFailing {
            sink: "one\nMESSAGE=two".into(),
            error: "three".into(),
        },
    ];
    sink.send(&batch(&events)).expect("sends");
    let first = fields(&entry(&journal).0);
    assert_eq!(first["PRIORITY"], "3");
    assert_eq!(first["SYSLOG_IDENTIFIER"], "enforcer");
    assert_eq!(first["ENFORCER_SEQUENCE"], "1");
    let event: Value = serde_json::from_str(&first["ENFORCER_EVENT"]).expect("JSON");
    assert_eq!(event["event"]["action"], *first["ENFORCER_ACTION"]);
    let second = fields(&entry(&journal).0);
    assert!(second["MESSAGE"].contains("three"), "{second:?}");
    assert_eq!(second["ENFORCER_SEQUENCE"], "2");
}

#[test]
fn what_is_longer_than_a_datagram_comes_in_a_sealed_file() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("socket");
    let journal = journal(&path);
    let long = DaemonEvent::SinkFailing {
        sink: "x".repeat(1 << 20),
        error: "long".into(),
    };
    let mut sink = JournaldSink::new(&path);
    sink.send(&batch(&[long])).expect("sends");
    let (bytes, in_file) = entry(&journal);
    assert!(in_file);
    assert!(fields(&bytes)["ENFORCER_EVENT"].len() > 1 << 20);
}

#[test]
fn a_journal_that_restarts_gets_what_is_sent_again() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("socket");
    let mut sink = JournaldSink::new(&path);
    let events = batch(&[DaemonEvent::Stopped]);
    let absent = sink.send(&events).expect_err("nobody listens");
    assert_eq!(absent.error.cause(), FailureCause::Unreachable);
    let first = journal(&path);
    sink.send(&events).expect("sends");
    entry(&first);
    drop(first);
    std::fs::remove_file(&path).expect("is there");
    let gone = sink.send(&events).expect_err("nobody listens");
    assert_eq!(gone.sent, 0);
    let second = journal(&path);
    sink.send(&events).expect("sends");
    assert_eq!(fields(&entry(&second).0)["ENFORCER_SEQUENCE"], "1");
}
