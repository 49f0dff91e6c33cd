use std::{fs, path::Path};

use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

use super::{Spool, Store};
use crate::events::{
    batch::{Batch, Item, Place},
    record::Severity,
};

fn batch(records: &[(u64, Severity)]) -> Batch {
    let mut batch = Batch::default();
    for (number, severity) in records {
        batch.push(Item {
            place: Place(0),
            sequence: *number,
            severity: *severity,
            at_ns: 0,
            payload: format!("{number:0100}\n").as_bytes(),
        });
    }
    batch
}

fn number(item: Item<'_>) -> u64 {
    let text = std::str::from_utf8(item.text()).expect("digits");
    text.parse().expect("a number")
}

/// Everything that is left, in order.
fn rest(spool: &mut Spool) -> Vec<u64> {
    let mut all = Vec::new();
    let mut from = spool.rewind();
    loop {
        let batch = spool.read(from, 1000);
        let Some(last) = batch.last() else { return all };
        all.extend(batch.items().map(number));
        from = last.next();
    }
}

fn open(directory: &Path) -> Spool {
    Spool::open(directory, 1 << 20).expect("a spool")
}

fn segments(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "seg"))
        .collect();
    paths.sort();
    paths
}

#[test]
fn what_waits_outlives_the_daemon_and_what_was_delivered_does_not_come_back() {
    let directory = tempfile::tempdir().expect("directory");
    let mut spool = open(directory.path());
    for number in 1..=3000 {
        spool.append(batch(&[(number, Severity::Medium)]));
    }
    spool.release(Place(1234));
    drop(spool);
    let mut spool = open(directory.path());
    assert_eq!(rest(&mut spool), (1235..=3000).collect::<Vec<_>>());
    assert_eq!(spool.level().records, 3000 - 1234);
    spool.append(batch(&[(3001, Severity::Medium)]));
    spool.release(Place(3000));
    assert_eq!(rest(&mut spool), [3001]);
    spool.release(Place(3001));
    drop(spool);
    assert_eq!(
        segments(directory.path()),
        [""; 0].map(std::path::PathBuf::from)
    );
    let mut spool = open(directory.path());
    assert_eq!(rest(&mut spool), [0; 0]);
    assert_eq!((spool.next(), spool.last_sequence()), (Place(3002), 3001));
}

#[test]
fn the_oldest_of_the_least_severe_go_first() {
    let directory = tempfile::tempdir().expect("directory");
    let mut spool = open(directory.path());
    let mut sent = 0;
    while spool.level().crowded_out == [0; 4] {
        for _ in 0..100 {
            sent += 1;
            let severity = match sent % 10 {
                0 => Severity::High,
                1 => Severity::Low,
                _ => Severity::Medium,
            };
            spool.append(batch(&[(sent, severity)]));
        }
    }
    let level = spool.level();
    assert!(level.bytes <= level.capacity, "{level:?}");
    assert!(level.crowded_out[Severity::Low as usize] > 0);
    assert_eq!(level.crowded_out[Severity::Medium as usize], 0);
    // The last of the low ones are there, the first are not; all others are.
    let left = rest(&mut spool);
    assert!(left.is_sorted());
    let low: Vec<u64> = left.iter().copied().filter(|n| n % 10 == 1).collect();
    assert!(
        low.first() > Some(&1) && low.last() == Some(&(sent - 9)),
        "{low:?}"
    );
    assert_eq!((left.len() - low.len()) as u64, sent - sent / 10);
    assert_eq!(
        left.len() as u64 + level.crowded_out.iter().sum::<u64>(),
        sent
    );
    // The sink fails, and what it was reading waits again.
    let first = spool.rewind();
    spool.read(first, 1);
    // One that is less severe than all that wait is the one that finds no room.
    for _ in 0..20_000 {
        spool.append(batch(&[(sent, Severity::High)]));
    }
    let before = spool.level().crowded_out;
    assert_eq!(before[Severity::Low as usize], sent / 10);
    while spool.level().crowded_out[0] == 0 {
        spool.append(batch(&[(0, Severity::Informational)]));
    }
    assert_eq!(spool.level().crowded_out[1..], before[1..]);
}

#[test]
fn a_torn_end_is_cut_off_and_counted() {
    let directory = tempfile::tempdir().expect("directory");
    let mut spool = open(directory.path());
    spool.append(batch(&[(1, Severity::Medium), (2, Severity::Medium)]));
    drop(spool);
    let path = &segments(directory.path())[0];
    let bytes = fs::read(path).expect("reads");
    fs::write(path, &bytes[..bytes.len() - 5]).expect("writes");
    let mut spool = open(directory.path());
    assert_eq!(spool.level().damaged, 1);
    assert_eq!(rest(&mut spool), [1]);
    spool.append(batch(&[(3, Severity::Medium)]));
    drop(spool);
    let mut spool = open(directory.path());
    assert_eq!(rest(&mut spool), [1, 3]);
    assert_eq!(spool.level().damaged, 0);
    assert!(directory.path().join("quarantine").is_dir());
}

#[test]
fn what_waits_is_counted_also_where_some_were_crowded_out() {
    let directory = tempfile::tempdir().expect("directory");
    let mut spool = open(directory.path());
    let mut number = 0;
    while spool.level().crowded_out == [0; 4] {
        let mut records = Vec::new();
        for _ in 0..50 {
            records.push((number + 1, Severity::Informational));
            records.push((number + 2, Severity::High));
            number += 2;
        }
        spool.append(batch(&records));
    }
    let first = spool.rewind();
    let begun = spool.read(first, 5000);
    let delivered = begun.last().expect("records");
    assert!(
        delivered.0 > begun.len() as u64,
        "some are missing between them"
    );
    spool.release(delivered);
    let waiting = spool.level().records;
    assert_eq!(waiting, rest(&mut spool).len() as u64);
}

proptest! {
    #[test]
    fn damage_costs_what_it_touches_and_no_more(
        places in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
        value in any::<u8>(),
    ) {
        let directory = tempfile::tempdir().expect("directory");
        let mut spool = open(directory.path());
        let all: Vec<_> = (1..=50).map(|number| (number, Severity::Medium)).collect();
        spool.append(batch(&all));
        drop(spool);
        let path = &segments(directory.path())[0];
        let mut bytes = fs::read(path).expect("reads");
        let before = bytes.clone();
        for place in places {
            let at = place.index(bytes.len());
            bytes[at] = value;
        }
        let length = before.len() / 50;
        let touched = (0..50)
            .filter(|record| {
                let range = record * length..(record + 1) * length;
                before[range.clone()] != bytes[range]
            })
            .count();
        fs::write(path, &bytes).expect("writes");
        let mut spool = open(directory.path());
        let left = rest(&mut spool);
        prop_assert!(left.is_sorted());
        prop_assert_eq!(left.len(), 50 - touched);
        prop_assert!(spool.level().damaged as usize <= touched);
        prop_assert_eq!(spool.level().damaged > 0, touched > 0);
    }
}
