use std::{
    io::Read as _,
    net::{TcpListener, UdpSocket},
    os::unix::net::UnixDatagram,
    time::Duration,
};

use super::{SyslogSink, Transport};
use crate::events::{
    batch::{Batch, Item, Place},
    encode::Format,
    record::Severity,
    samples::observer,
    sinks::{FailureCause, Settled, Sink as _, SinkError},
};

/// Longer than any test takes.
const FAREWELL: Duration = Duration::from_secs(30);

fn batch(lines: &[&str]) -> Batch {
    let mut batch = Batch::default();
    for (line, place) in lines.iter().zip(1..) {
        batch.push(Item {
            place: Place(place),
            sequence: 0,
            severity: Severity::Medium,
            at_ns: 1_795_341_600_123_456_789,
            payload: line.as_bytes(),
        });
    }
    batch
}

fn sink(transport: &Transport) -> SyslogSink {
    SyslogSink::new(transport, 16, Format::Cef, &observer()).expect("a sink")
}

fn message(text: &str) -> String {
    let pid = std::process::id();
    format!("<132>1 2026-11-22T10:00:00.123456Z node-1 enforcer {pid} cef - {text}")
}

#[test]
fn a_datagram_each() {
    let server = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let address = server.local_addr().expect("an address").to_string();
    sink(&Transport::Udp(address))
        .send(&batch(&["one\n", "two\n"]))
        .expect("sends");
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("log");
    let local = UnixDatagram::bind(&path).expect("a socket");
    let mut to_local = sink(&Transport::Unix(path));
    to_local.send(&batch(&["one\n", "two\n"])).expect("sends");
    for text in ["one", "two"] {
        let mut bytes = [0; 1000];
        let length = server.recv(&mut bytes).expect("arrives");
        assert_eq!(&bytes[..length], message(text).as_bytes());
        let length = local.recv(&mut bytes).expect("arrives");
        assert_eq!(&bytes[..length], message(text).as_bytes());
    }
    let long = "x".repeat(1 << 20);
    let stopped = to_local
        .send(&batch(&["short\n", &long]))
        .expect_err("too long");
    assert_eq!(stopped.sent, 1);
    assert!(
        matches!(stopped.error, SinkError::Refused { .. }),
        "{stopped:?}"
    );
}

#[test]
fn on_a_connection_each_message_has_its_length_before_it() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let address = server.local_addr().expect("an address").to_string();
    let mut sink = sink(&Transport::Tcp(address, FAREWELL));
    sink.send(&batch(&["one\n", "tw\u{e9}\n"])).expect("sends");
    // Nothing proves yet that it arrived.
    assert_eq!(sink.settled().expect("lives"), Settled::Through(Place(0)));
    let reader = std::thread::spawn(move || {
        let (mut peer, _) = server.accept().expect("a connection");
        let mut text = String::new();
        peer.read_to_string(&mut text).expect("text");
        text
    });
    sink.finish().expect("the peer reads to the end");
    assert_eq!(sink.settled().expect("ended well"), Settled::All);
    let framed = |text: &str| {
        let message = message(text);
        format!("{} {message}", message.len())
    };
    let expected = [framed("one"), framed("tw\u{e9}")].concat();
    assert_eq!(reader.join().expect("reads"), expected);
}

#[test]
fn what_a_connection_carried_is_settled_while_the_next_one_carries_more() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let address = server.local_addr().expect("an address").to_string();
    let reader = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut peer, _) = server.accept().expect("a connection");
            std::io::copy(&mut peer, &mut std::io::sink()).expect("bytes");
        }
    });
    let mut sink = sink(&Transport::Tcp(address, FAREWELL));
    // More than a connection carries.
    let long = "x".repeat(5 << 20);
    sink.send(&batch(&[&long, "two\n"])).expect("sends");
    sink.settled().expect("lives");
    let next = batch(&["one\n", "two\n", "three\n"]).part(2, 3);
    sink.send(&next)
        .expect("sends, once the first connection has ended");
    assert_eq!(sink.settled().expect("lives"), Settled::Through(Place(2)));
    sink.finish().expect("the peer reads to the end");
    assert_eq!(sink.settled().expect("ended well"), Settled::All);
    reader.join().expect("reads");
}

#[test]
fn a_server_that_ends_before_it_has_read_gets_it_again() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let address = server.local_addr().expect("an address").to_string();
    let mut sink = sink(&Transport::Tcp(address, FAREWELL));
    sink.send(&batch(&["one\n"])).expect("sends");
    drop(server.accept().expect("a connection"));
    let lost = loop {
        match sink.settled() {
            Ok(settled) => assert_eq!(settled, Settled::Through(Place(0))),
            Err(error) => break error,
        }
    };
    assert_eq!(lost.cause(), FailureCause::Closed);
    assert_eq!(sink.settled().expect("known"), Settled::Through(Place(0)));
    drop(server);
    let stopped = sink.send(&batch(&["one\n"])).expect_err("nobody is there");
    assert_eq!(
        (stopped.sent, stopped.error.cause()),
        (0, FailureCause::Unreachable)
    );
}
