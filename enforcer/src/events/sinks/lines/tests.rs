use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use super::{FileOptions, LineSink};
use crate::events::{
    batch::{Batch, Item, Place},
    record::Severity,
    sinks::{FailureCause, Sink as _},
};

fn batch(lines: &[&str]) -> Batch {
    let mut batch = Batch::default();
    for (line, place) in lines.iter().zip(1..) {
        batch.push(Item {
            place: Place(place),
            sequence: 0,
            severity: Severity::Medium,
            at_ns: 0,
            payload: line.as_bytes(),
        });
    }
    batch
}

fn file(path: &Path) -> LineSink {
    LineSink::file(path, FileOptions::default()).expect("opens")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("reads")
}

#[test]
fn appends_and_keeps_others_out() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("events");
    for line in ["one\n", "two\n"] {
        file(&path).send(&batch(&[line])).expect("writes");
    }
    assert_eq!(read(&path), "one\ntwo\n");
    let mode = fs::metadata(&path).expect("exists").permissions().mode();
    assert_eq!(mode & 0o137, 0, "{mode:o}");
}

#[test]
fn a_torn_line_is_closed() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("events");
    fs::write(&path, "{\"torn\":").expect("writes");
    file(&path).send(&batch(&["{}\n"])).expect("writes");
    assert_eq!(read(&path), "{\"torn\":\n{}\n");
}

#[test]
fn follows_a_rotation_and_only_that() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("events");
    let mut sink = file(&path);
    sink.send(&batch(&["old\n"])).expect("writes");
    sink.reopen().expect("opens");
    sink.send(&batch(&["same\n"])).expect("writes");
    let aside = directory.path().join("events.1");
    fs::rename(&path, &aside).expect("renames");
    sink.reopen().expect("opens");
    sink.send(&batch(&["new\n"])).expect("writes");
    assert_eq!(read(&aside), "old\nsame\n");
    assert_eq!(read(&path), "new\n");
}

#[test]
fn a_rotation_into_nowhere_keeps_the_old_file() {
    let directory = tempfile::tempdir().expect("directory");
    let folder = directory.path().join("logs");
    fs::create_dir(&folder).expect("creates");
    let mut sink = file(&folder.join("events"));
    let moved = directory.path().join("moved");
    fs::rename(&folder, &moved).expect("renames");
    assert!(sink.reopen().is_err());
    sink.send(&batch(&["kept\n"])).expect("writes");
    assert_eq!(read(&moved.join("events")), "kept\n");
}

#[test]
fn a_large_file_is_put_aside_and_so_many_are_kept() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("events");
    let options = FileOptions {
        most_bytes: Some(10),
        keep: 2,
        ..FileOptions::default()
    };
    let mut sink = LineSink::file(&path, options).expect("opens");
    for line in [
        "aaaa\n", "bbbb\n", "cccc\n", "dddd\n", "eeee\n", "ffff\n", "gggg\n",
    ] {
        sink.send(&batch(&[line])).expect("writes");
    }
    assert_eq!(read(&path), "gggg\n");
    assert_eq!(read(&directory.path().join("events.1")), "eeee\nffff\n");
    assert_eq!(read(&directory.path().join("events.2")), "cccc\ndddd\n");
    assert!(!directory.path().join("events.3").exists());
}

#[test]
fn an_old_file_is_put_aside() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("events");
    let options = FileOptions {
        most_age: Some(Duration::ZERO),
        keep: 1,
        sync: true,
        ..FileOptions::default()
    };
    let mut sink = LineSink::file(&path, options).expect("opens");
    sink.send(&batch(&["old\n"])).expect("writes");
    sink.send(&batch(&["new\n"])).expect("writes");
    assert_eq!(read(&path), "new\n");
    assert_eq!(read(&directory.path().join("events.1")), "old\n");
}

#[test]
fn says_what_is_wrong() {
    let missing = LineSink::file(Path::new("/nonexistent/events"), FileOptions::default());
    let error = missing.expect_err("no directory");
    assert!(
        error.to_string().starts_with("open /nonexistent/events: "),
        "{error}"
    );
    let stopped = file(Path::new("/dev/full")).send(&batch(&["x\n"]));
    let stopped = stopped.expect_err("no space");
    assert_eq!(
        (stopped.sent, stopped.error.cause()),
        (0, FailureCause::Full)
    );
}

#[test]
fn a_line_that_a_pipe_took_in_part_gets_its_end() {
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let writer: std::os::fd::OwnedFd = writer.into();
    rustix::io::ioctl_fionbio(&writer, true).expect("does not wait");
    let mut sink = LineSink {
        file: writer.into(),
        path: None,
        regular: None,
        options: FileOptions::default(),
        owed: Vec::new(),
    };
    let lines: Vec<String> = (0..40).map(|n| format!("{n:09999}\n")).collect();
    let texts: Vec<&str> = lines.iter().map(String::as_str).collect();
    let all = batch(&texts);
    let stopped = sink.send(&all).expect_err("nobody reads");
    assert_eq!(stopped.error.cause(), FailureCause::Busy);
    let mut taken = vec![0; 65_536];
    use std::io::Read as _;
    let first = reader.read(&mut taken).expect("reads");
    taken.truncate(first);
    let rest = all.part(stopped.sent, all.len().min(stopped.sent + 3));
    sink.send(&rest).expect("there is room");
    let through = stopped.sent + 3;
    drop(sink);
    reader.read_to_end(&mut taken).expect("reads");
    assert_eq!(
        String::from_utf8(taken).expect("text"),
        lines[..through].concat()
    );
}
