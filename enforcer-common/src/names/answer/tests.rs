extern crate std;

use std::{vec, vec::Vec};

use super::{Answer, MAX_NAMES, MAX_RECORDS, TYPE_A, TYPE_AAAA, TYPE_CNAME};
use crate::{
    abi::Addr,
    names::{NameKey, Seed, Unread, read_answer},
};

const SEED: Seed = Seed([3, 5]);

/// An answer to `question` with these records: owner, type, TTL, data.
fn message(question: &[u8], records: &[(&[u8], u16, u32, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0, 7, 0x81, 0x80, 0, 1, 0, records.len() as u8, 0, 0, 0, 0];
    bytes.extend_from_slice(question);
    bytes.extend_from_slice(&[0, 1, 0, 1]);
    for (owner, kind, ttl, data) in records {
        bytes.extend_from_slice(owner);
        bytes.extend_from_slice(&kind.to_be_bytes());
        bytes.extend_from_slice(&[0, 1]);
        bytes.extend_from_slice(&ttl.to_be_bytes());
        bytes.extend_from_slice(&(data.len() as u16).to_be_bytes());
        bytes.extend_from_slice(data);
    }
    bytes
}

fn read(bytes: &[u8]) -> Result<Answer, Unread> {
    read_answer(bytes, &SEED)
}

fn key(text: &str) -> NameKey {
    NameKey::of_text(text, &SEED).expect("a name")
}

const WWW: &[u8] = b"\x03www\x07Example\x03com\0";
const QUESTION: &[u8] = b"\xc0\x0c";
const ALIAS: &[u8] = b"\x03cdn\x03net\0";
const V4: Addr = Addr::from_v4([192, 0, 2, 1]);

#[test]
fn an_address_along_an_alias() {
    let answer = read(&message(
        WWW,
        &[
            (QUESTION, TYPE_CNAME, 300, ALIAS),
            (ALIAS, TYPE_A, 60, &[192, 0, 2, 1]),
            (ALIAS, TYPE_AAAA, 90, &V4.octets()),
            (b"\x05other\0", TYPE_A, 1, &[192, 0, 2, 9]),
        ],
    ))
    .expect("an answer");
    assert_eq!(answer.name(0), Some(&key("www.example.com")));
    assert_eq!(answer.name(1), Some(&key("cdn.net")));
    assert_eq!(answer.name(2), None);
    assert_eq!(answer.address(0), Some(V4));
    assert_eq!(answer.address(1), Some(V4));
    assert_eq!(answer.address(2), None);
    assert_eq!(answer.ttl, 60);
}

#[test]
fn a_ttl_with_the_highest_bit_is_zero() {
    let records: [(&[u8], u16, u32, &[u8]); 1] = [(QUESTION, TYPE_A, 1 << 31, &[192, 0, 2, 1])];
    let answer = read(&message(WWW, &records)).expect("an answer");
    assert_eq!(answer.ttl, 0);
}

#[test]
fn what_is_cut_anywhere_is_not_read() {
    let whole = message(WWW, &[(QUESTION, TYPE_A, 60, &[192, 0, 2, 1])]);
    for end in 0..whole.len() {
        assert!(read(&whole[..end]).is_err(), "{end}");
    }
}

#[test]
fn lengths_that_are_not_those_of_the_type() {
    for (kind, data) in [
        (TYPE_A, &[1, 2, 3][..]),
        (TYPE_AAAA, &[1, 2, 3, 4]),
        (TYPE_CNAME, b"\x01a\0\0"),
    ] {
        let outcome = read(&message(WWW, &[(QUESTION, kind, 60, data)]));
        assert_eq!(outcome.err(), Some(Unread::Record), "{kind}");
    }
}

#[test]
fn pointers_lead_back_or_nowhere() {
    for (owner, cause) in [
        (&b"\xc0\xff"[..], Unread::Pointer),
        (b"\xc0\x21", Unread::Pointer),
        (b"\x40a\0", Unread::Label),
        (b"\x80a\0", Unread::Label),
    ] {
        let outcome = read(&message(WWW, &[(owner, TYPE_A, 60, &[1, 2, 3, 4])]));
        assert_eq!(outcome.err(), Some(cause), "{owner:?}");
    }
}

#[test]
fn more_than_is_read() {
    let record: (&[u8], u16, u32, &[u8]) = (QUESTION, TYPE_A, 60, &[192, 0, 2, 1]);
    let most = vec![record; usize::from(MAX_RECORDS)];
    let answer = read(&message(WWW, &most)).expect("an answer");
    assert_eq!(answer.address_count(), u32::from(MAX_RECORDS));
    let more = vec![record; usize::from(MAX_RECORDS) + 1];
    assert_eq!(read(&message(WWW, &more)).err(), Some(Unread::Records));
    let loops = vec![(QUESTION, TYPE_CNAME, 60, QUESTION); MAX_NAMES];
    assert_eq!(read(&message(WWW, &loops)).err(), Some(Unread::Aliases));
}

#[test]
fn a_name_of_the_most_bytes_and_one_more() {
    let label = |length: u8| {
        let mut label = vec![length];
        label.resize(usize::from(length) + 1, b'x');
        label
    };
    let name = |last: u8| [label(63), label(63), label(63), label(last), vec![0]].concat();
    let records: [(&[u8], u16, u32, &[u8]); 1] = [(QUESTION, TYPE_A, 60, &[192, 0, 2, 1])];
    assert!(read(&message(&name(61), &records)).is_ok());
    assert_eq!(
        read(&message(&name(62), &records)).err(),
        Some(Unread::LongName)
    );
}
