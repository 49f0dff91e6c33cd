use std::{
    io,
    path::Path,
    sync::{Arc, Mutex},
};

use jiff::Timestamp;
use proptest::prelude::{Just, Strategy, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use serde_json::Value;

use super::{BACKLOG_BYTES, Pipeline};
use crate::events::{
    record::{DaemonEvent, Record},
    samples::observer,
    sinks::{FailureCause, FileSink, Sink, SinkError},
};

#[derive(Clone, Copy, Debug)]
enum Answer {
    Take(usize),
    Fail(io::ErrorKind),
}

/// Does as it is told, then takes everything.
#[derive(Clone, Default)]
struct Moody {
    answers: Arc<Mutex<Vec<Answer>>>,
    files: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Moody {
    fn told(answers: &[Answer]) -> Self {
        let moody = Self::default();
        moody
            .answers
            .lock()
            .expect("a lock")
            .extend(answers.iter().rev());
        moody.files.lock().expect("a lock").push(Vec::new());
        moody
    }

    /// What is in the current file, and what is in all.
    fn sequences(&self) -> Vec<u64> {
        let files = self.files.lock().expect("a lock");
        let mut sequences = Vec::new();
        for (number, file) in files.iter().enumerate() {
            let last = number + 1 == files.len();
            for line in file.split_inclusive(|&byte| byte == b'\n') {
                if !last && !line.ends_with(b"\n") {
                    // A rotation may leave a part of a line at the end of the old file.
                    continue;
                }
                let value: Value = serde_json::from_slice(line).expect("a whole line");
                sequences.extend(value["event"]["sequence"].as_u64());
            }
        }
        sequences
    }
}

impl Sink for Moody {
    fn name(&self) -> &str {
        "moody"
    }

    fn write(&mut self, lines: &[u8]) -> Result<usize, SinkError> {
        let taken = match self.answers.lock().expect("a lock").pop() {
            None => lines.len(),
            Some(Answer::Take(most)) => most.clamp(1, lines.len()),
            Some(Answer::Fail(kind)) => {
                return Err(SinkError::Write {
                    sink: "moody".into(),
                    source: kind.into(),
                });
            }
        };
        let mut files = self.files.lock().expect("a lock");
        files.last_mut().expect("a file").extend(&lines[..taken]);
        Ok(taken)
    }

    fn reopen(&mut self) -> Result<bool, SinkError> {
        self.files.lock().expect("a lock").push(Vec::new());
        Ok(true)
    }
}

fn record() -> Record {
    Record::Daemon(Timestamp::UNIX_EPOCH, DaemonEvent::Stopped)
}

fn pipeline(sink: &Moody, backlog: usize) -> Pipeline {
    Pipeline::new(observer(), vec![Box::new(sink.clone())], backlog)
}

#[test]
fn a_failing_sink_gets_its_lines_later_and_holds_up_no_other() {
    let (full, fine) = (
        Moody::told(&[Answer::Take(20), Answer::Fail(io::ErrorKind::StorageFull)]),
        Moody::told(&[]),
    );
    let sinks: Vec<Box<dyn Sink>> = vec![Box::new(full.clone()), Box::new(fine.clone())];
    let mut pipeline = Pipeline::new(observer(), sinks, BACKLOG_BYTES);
    pipeline.push(&record());
    pipeline.push(&record());
    let errors = pipeline.flush().expect_err("the disk is full");
    assert_eq!(errors.len(), 1);
    assert_eq!(fine.sequences(), [1, 2]);
    let status: Vec<_> = pipeline.status().collect();
    assert_eq!(
        (status[0].delivered, status[0].waiting, status[0].lost),
        (0, 2, 0)
    );
    assert_eq!(status[0].failures[FailureCause::Full as usize], 1);
    assert_eq!((status[1].delivered, status[1].waiting), (2, 0));
    pipeline.push(&record());
    pipeline.flush().expect("there is room again");
    assert_eq!(full.sequences(), [1, 2, 3]);
    assert_eq!(fine.sequences(), [1, 2, 3]);
}

#[test]
fn beyond_the_backlog_lines_are_lost_whole_and_counted() {
    let never = [Answer::Fail(io::ErrorKind::WouldBlock); 3];
    let sink = Moody::told(&[&[Answer::Take(5)][..], &never].concat());
    let mut pipeline = pipeline(&sink, 1);
    for _ in 0..3 {
        pipeline.push(&record());
        assert!(pipeline.flush().is_err());
    }
    pipeline.push(&record());
    pipeline.flush().expect("it takes again");
    assert_eq!(sink.sequences(), [1, 4]);
    let status = pipeline.status().next().expect("a sink");
    assert_eq!((status.delivered, status.waiting, status.lost), (2, 0, 2));
}

#[test]
fn a_full_disk_is_waited_for() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("events");
    let full = FileSink::open(Path::new("/dev/full")).expect("opens");
    let fine = FileSink::open(&path).expect("opens");
    let mut pipeline = Pipeline::new(
        observer(),
        vec![Box::new(full), Box::new(fine)],
        BACKLOG_BYTES,
    );
    pipeline.push(&record());
    assert!(pipeline.flush().is_err());
    assert!(pipeline.flush().is_err());
    let status: Vec<_> = pipeline.status().collect();
    assert_eq!(status[0].failures[FailureCause::Full as usize], 2);
    assert_eq!((status[0].waiting, status[1].delivered), (1, 1));
    assert_eq!(
        std::fs::read_to_string(&path)
            .expect("reads")
            .lines()
            .count(),
        1
    );
}

#[derive(Clone, Debug)]
enum Step {
    Push,
    Flush,
    Reopen,
}

fn answers() -> impl Strategy<Value = Vec<Answer>> {
    let answer = prop_oneof![
        (1..600_usize).prop_map(Answer::Take),
        Just(Answer::Fail(io::ErrorKind::StorageFull)),
        Just(Answer::Fail(io::ErrorKind::WouldBlock)),
    ];
    prop::collection::vec(answer, 0..30)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![4 => Just(Step::Push), 3 => Just(Step::Flush), 1 => Just(Step::Reopen)];
    prop::collection::vec(step, 0..40)
}

fn run(pipeline: &mut Pipeline, steps: Vec<Step>) {
    for step in steps {
        match step {
            Step::Push => pipeline.push(&record()),
            // Failures are part of it; the outcome is looked at in the end.
            Step::Flush => drop(pipeline.flush()),
            Step::Reopen => pipeline.reopen().expect("it reopens"),
        }
    }
}

proptest! {
    #[test]
    fn every_line_arrives_once_and_in_order(answers in answers(), steps in steps()) {
        let sink = Moody::told(&answers);
        let mut pipeline = pipeline(&sink, BACKLOG_BYTES);
        run(&mut pipeline, steps);
        sink.answers.lock().expect("a lock").clear();
        pipeline.flush().expect("it takes everything now");
        let all: Vec<u64> = (1..=pipeline.sequence()).collect();
        prop_assert_eq!(sink.sequences(), all);
    }

    #[test]
    fn a_short_backlog_loses_only_what_it_counts(
        answers in answers(),
        steps in steps(),
        backlog in 0..2000_usize,
    ) {
        let sink = Moody::told(&answers);
        let mut pipeline = pipeline(&sink, backlog);
        run(&mut pipeline, steps);
        sink.answers.lock().expect("a lock").clear();
        pipeline.flush().expect("it takes everything now");
        let arrived = sink.sequences();
        prop_assert!(arrived.is_sorted_by(|a, b| a < b));
        let status = pipeline.status().next().expect("a sink");
        prop_assert_eq!(status.delivered, arrived.len() as u64);
        prop_assert_eq!(status.delivered + status.lost, pipeline.sequence());
        prop_assert_eq!(status.waiting, 0);
    }
}
