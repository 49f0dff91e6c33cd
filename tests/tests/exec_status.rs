//! `exec` ends as its command does, passes on what it gets, and leaves nothing behind.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{Command, Stdio},
};

use enforcer_tests::lab::{self, Confined, World};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

#[test]
fn the_status_is_the_commands() {
    let world = World::new().expect("a world");
    let confined = sovereign(&world);
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path().to_string_lossy();
    for (words, status) in [
        (&["true"][..], 0),
        (&["sh", "-c", "exit 7"], 7),
        (&["sh", "-c", "exit 255"], 255),
        (&["sh", "-c", "kill -TERM $$"], 128 + 15),
        (&["sh", "-c", "kill -KILL $$"], 128 + 9),
        (&["enforcer-no-such-command"], 127),
        (&["/nowhere/at/all"], 127),
        // A directory cannot be executed.
        (&[&directory], 126),
        (&["/proc/self/status"], 126),
    ] {
        let output = confined.output(words).expect("exec");
        assert_eq!(output.status.code(), Some(status), "{words:?}: {output:?}");
        assert_eq!(confined.instance.traces(), [] as [PathBuf; 0], "{words:?}");
    }
}

#[test]
fn arguments_environment_and_input_reach_the_command() {
    let world = World::new().expect("a world");
    let confined = sovereign(&world);
    let script = r#"read line; echo "$line|$WORD|$1|$2"; echo oops >&2"#;
    let mut child = confined
        .command()
        .expect("exec")
        .args(["sh", "-c", script, "sh", "--policy", "two words"])
        .env("WORD", "from outside")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("exec");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(b"a line\n").expect("written");
    let output = child.wait_with_output().expect("the end");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said, "a line|from outside|--policy|two words\n");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "oops\n");
}

#[test]
fn signals_reach_the_command() {
    let world = World::new().expect("a world");
    let confined = sovereign(&world);
    for (signal, status) in [
        (Signal::SIGTERM, 31),
        (Signal::SIGHUP, 32),
        (Signal::SIGINT, 33),
        (Signal::SIGQUIT, 34),
    ] {
        // It waits for a child, for a shell reacts to signals between commands only.
        let script = "trap 'exit 31' TERM; trap 'exit 32' HUP; trap 'exit 33' INT; \
            trap 'exit 34' QUIT; echo ready; sleep 60 & wait";
        let mut child = confined
            .command()
            .expect("exec")
            .args(["sh", "-c", script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("exec");
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        output.read_line(&mut line).expect("it is ready");
        kill(Pid::from_raw(child.id() as i32), signal).expect("sent");
        let ended = child.wait().expect("the end");
        assert_eq!(
            (ended.code(), ended.signal()),
            (Some(status), None),
            "{signal}"
        );
    }
}

#[test]
fn a_bare_command_line_confines_as_well() {
    let world = World::new().expect("a world");
    let instance = lab::Instance::new().expect("an instance");
    let mut exec = instance.verb("exec").expect("enforcer");
    exec.arg("--")
        .arg(lab::binary("probe").expect("the probe"))
        .args(["tcp4 52.0.0.1:443", "tcp4 52.0.0.1:443"]);
    world.client.confine(&mut exec).expect("a namespace");
    let output = exec.stdin(Stdio::null()).output().expect("exec");
    assert!(output.status.success(), "{output:?}");
    // Events go to standard output, among what the command says.
    let said = String::from_utf8_lossy(&output.stdout);
    let events = said
        .lines()
        .filter(|line| line.contains(r#""kind":"alert""#));
    assert_ne!(events.count(), 0, "{said}");
    let refused = said.lines().filter(|line| line.contains("EPERM"));
    assert_eq!(refused.count(), 2, "{said}");
    assert_eq!(instance.traces(), [] as [PathBuf; 0]);
}

#[test]
fn usage_errors_are_told_from_the_commands_status() {
    let instance = lab::Instance::new().expect("an instance");
    for words in [
        &["--frobnicate", "--", "true"][..],
        &["--policy"],
        &["--"],
        &["true"],
        &[],
    ] {
        let output = instance
            .verb("exec")
            .expect("enforcer")
            .args(words)
            .output()
            .expect("enforcer");
        assert_eq!(output.status.code(), Some(125), "{words:?}: {output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.starts_with("error: "), "{said}");
    }
    let help = instance
        .verb("exec")
        .expect("enforcer")
        .arg("--help")
        .output();
    assert_eq!(help.expect("help").status.code(), Some(0));
    let other = Command::new(lab::binary("enforcer").expect("enforcer"))
        .args(["geo", "--frobnicate"])
        .status();
    assert_eq!(other.expect("enforcer").code(), Some(2));
}

fn sovereign(world: &World) -> Confined<'_> {
    Confined::new(world)
        .expect("an instance")
        .policy(&lab::policy("sovereign-llm.yaml"))
}
