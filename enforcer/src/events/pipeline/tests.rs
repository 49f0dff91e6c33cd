use std::{
    io,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use jiff::Timestamp;
use proptest::prelude::{
    Just, ProptestConfig, Strategy, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use serde_json::Value;

use super::{BACKLOG_BYTES, Pipeline, SinkState, SinkStatus};
use crate::events::{
    batch::Batch,
    queue::{Memory, Spool, Store},
    record::{DaemonEvent, Record},
    samples::observer,
    sequence::Sequence,
    sinks::{FailureCause, Sink, SinkError, SinkSpec, Stopped},
};

#[derive(Clone, Copy, Debug)]
enum Answer {
    /// So many records, then it fails.
    Part(usize),
    Fail,
    /// Refuses for good whatever has a number that can be divided by this.
    Refuse(u64),
}

/// Does as it is told, then takes everything.
#[derive(Clone, Default)]
struct Moody {
    answers: Arc<Mutex<Vec<Answer>>>,
    taken: Arc<Mutex<Vec<u64>>>,
}

impl Moody {
    fn told(answers: &[Answer]) -> Self {
        let moody = Self::default();
        *moody.answers.lock().expect("a lock") = answers.iter().rev().copied().collect();
        moody
    }

    fn taken(&self) -> Vec<u64> {
        self.taken.lock().expect("a lock").clone()
    }
}

fn sequence(line: &[u8]) -> u64 {
    let value: Value = serde_json::from_slice(line).expect("a whole line");
    value["event"]["sequence"].as_u64().expect("a number")
}

impl Sink for Moody {
    fn send(&mut self, batch: &Batch) -> Result<(), Stopped> {
        let numbers: Vec<u64> = batch.items().map(|item| sequence(item.payload)).collect();
        let broken = || SinkError::Write(io::ErrorKind::StorageFull.into());
        let mut answers = self.answers.lock().expect("a lock");
        let (sent, error) = match answers.last().copied() {
            None => (numbers.len(), None),
            Some(Answer::Part(count)) => (count.min(numbers.len()), Some(broken())),
            Some(Answer::Fail) => (0, Some(broken())),
            Some(Answer::Refuse(divisor)) if numbers.iter().any(|n| n % divisor == 0) => {
                let text = String::new();
                (0, Some(SinkError::Refused { status: 400, text }))
            }
            Some(Answer::Refuse(_)) => (numbers.len(), None),
        };
        if !matches!(answers.last(), Some(Answer::Refuse(_))) {
            answers.pop();
        }
        self.taken.lock().expect("a lock").extend(&numbers[..sent]);
        match error {
            None => Ok(()),
            Some(error) => Err(Stopped { sent, error }),
        }
    }
}

fn record() -> Record {
    Record::Daemon(Timestamp::UNIX_EPOCH, DaemonEvent::Stopped)
}

fn pipeline(sinks: Vec<(&Moody, Box<dyn Store>)>) -> Pipeline {
    let spec: SinkSpec = "-".parse().expect("a sink");
    let mut pipeline =
        Pipeline::open(&observer(), &[], None, Sequence::of_run("test")).expect("no sinks");
    for (sink, store) in sinks {
        pipeline
            .add(&observer(), &spec, Box::new(sink.clone()), store)
            .expect("a thread");
    }
    pipeline
}

fn memory() -> Box<dyn Store> {
    Box::new(Memory::new(BACKLOG_BYTES))
}

/// Waits for what is said to hold.
fn wait(pipeline: &Pipeline, sink: usize, holds: impl Fn(&SinkStatus) -> bool) -> SinkStatus {
    for _ in 0..10_000 {
        let status = pipeline.status().nth(sink).expect("a sink");
        if holds(&status) {
            return status;
        }
        thread::sleep(Duration::from_millis(1));
    }
    panic!("{:?}", pipeline.status().collect::<Vec<_>>());
}

#[test]
fn a_failing_sink_gets_its_lines_later_and_holds_up_no_other() {
    let (bad, good) = (Moody::told(&[Answer::Fail; 3]), Moody::default());
    let mut pipeline = pipeline(vec![(&bad, memory()), (&good, memory())]);
    for _ in 0..3 {
        pipeline.push(&record());
    }
    pipeline.flush();
    wait(&pipeline, 1, |good| good.delivered == 3);
    let failing = wait(&pipeline, 0, |bad| bad.state == SinkState::Failing);
    assert_eq!((failing.delivered, failing.waiting), (0, 3));
    assert_eq!(pipeline.news()[0].state, SinkState::Failing);
    let recovered = wait(&pipeline, 0, |bad| bad.delivered == 3);
    assert_eq!(recovered.failures[FailureCause::Full as usize], 3);
    assert_eq!((bad.taken(), good.taken()), (vec![1, 2, 3], vec![1, 2, 3]));
    assert_eq!(pipeline.news()[0].state, SinkState::Fine);
    assert!(pipeline.news().is_empty());
}

#[test]
fn what_the_receiver_never_takes_is_found_counted_and_passed_over() {
    let picky = Moody::told(&[Answer::Refuse(10)]);
    let mut pipeline = pipeline(vec![(&picky, memory())]);
    for _ in 0..100 {
        pipeline.push(&record());
    }
    pipeline.flush();
    let status = wait(&pipeline, 0, |sink| sink.waiting == 0);
    assert_eq!(
        (status.delivered, status.refused, status.lost),
        (90, 10, 10)
    );
    let expected: Vec<u64> = (1..=100).filter(|number| number % 10 != 0).collect();
    assert_eq!(picky.taken(), expected);
}

#[test]
fn what_waits_is_delivered_before_the_end() {
    let sink = Moody::default();
    let mut pipeline = pipeline(vec![(&sink, memory())]);
    for _ in 0..5000 {
        pipeline.push(&record());
    }
    drop(pipeline);
    assert_eq!(sink.taken(), (1..=5000).collect::<Vec<_>>());
}

#[test]
fn a_spool_takes_over_where_the_last_pipeline_ended() {
    let directory = tempfile::tempdir().expect("directory");
    let spool =
        || -> Box<dyn Store> { Box::new(Spool::open(directory.path(), 1 << 20).expect("a spool")) };
    let down = Moody::told(&[Answer::Part(3), Answer::Fail, Answer::Fail, Answer::Fail]);
    let mut first = pipeline(vec![(&down, spool())]);
    for _ in 0..10 {
        first.push(&record());
    }
    first.flush();
    wait(&first, 0, |sink| sink.state == SinkState::Failing);
    drop(first);
    let up = Moody::default();
    drop(pipeline(vec![(&up, spool())]));
    let mut all = down.taken();
    all.extend(up.taken());
    assert_eq!(all, (1..=10).collect::<Vec<_>>());
}

fn answers() -> impl Strategy<Value = Vec<Answer>> {
    let answer = prop_oneof![(0..40_usize).prop_map(Answer::Part), Just(Answer::Fail)];
    prop::collection::vec(answer, 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn every_line_arrives_in_order_and_counts_add_up(
        answers in answers(),
        pushes in prop::collection::vec(1..40_u64, 1..10),
        capacity in 2000..20_000_u64,
        on_disk in prop::bool::ANY,
    ) {
        let directory = tempfile::tempdir().expect("directory");
        let sink = Moody::told(&answers);
        let store: Box<dyn Store> = if on_disk {
            Box::new(Spool::open(directory.path(), capacity).expect("a spool"))
        } else {
            Box::new(Memory::new(capacity))
        };
        let mut pipeline = pipeline(vec![(&sink, store)]);
        for count in &pushes {
            (0..*count).for_each(|_| pipeline.push(&record()));
            pipeline.flush();
        }
        let status = wait(&pipeline, 0, |sink| {
            sink.delivered + sink.lost == pushes.iter().sum::<u64>()
        });
        let taken = sink.taken();
        prop_assert!(taken.is_sorted_by(|a, b| a < b));
        prop_assert_eq!(status.delivered, taken.len() as u64);
        prop_assert_eq!(status.waiting, 0);
        prop_assert_eq!(status.delivered + status.lost, pipeline.sequence());
    }
}
