//! What outlives `exec` stays confined, and goes when the next one starts, or on `detach`.

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Stdio},
};

use enforcer_tests::{
    lab::{self, Confined, Peer, World, wait_until_empty},
    probe::Outcome,
};

/// A command that waits for a line, and then tries to get out.
struct Waiting {
    exec: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    cgroup: PathBuf,
}

/// Script that says where it is, waits for a line and runs the probe.
const WAIT: &str = r#"sed -n s/^0:://p /proc/self/cgroup; read go
    exec "$PROBE" "udp 52.0.0.1:53" "tcp6 [2600:1f14::1]:443" "udp 3.64.0.1:53""#;

impl Waiting {
    fn start(confined: &Confined<'_>, script: &str) -> Self {
        let mut exec = confined
            .command()
            .expect("exec")
            .args(["sh", "-c", script])
            .env("PROBE", lab::binary("probe").expect("the probe"))
            .env("WAIT", WAIT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("exec");
        let mut output = BufReader::new(exec.stdout.take().expect("a pipe"));
        let mut cgroup = String::new();
        output.read_line(&mut cgroup).expect("it is ready");
        let mount = lab::mount().expect("a mount");
        Self {
            input: exec.stdin.take().expect("a pipe"),
            output,
            cgroup: mount.join(cgroup.trim().trim_start_matches('/')),
            exec,
        }
    }

    fn kill_enforcer(&mut self) {
        self.exec.kill().expect("killed");
        self.exec.wait().expect("the end");
    }

    /// Lets the command go on to its end; what became of its attempts.
    fn go(mut self) -> Vec<Outcome> {
        self.input.write_all(b"go\n").expect("it waits");
        let mut said = String::new();
        self.output.read_to_string(&mut said).expect("outcomes");
        wait_until_empty(&self.cgroup).expect("its end");
        let outcomes = said.lines().map(serde_json::from_str);
        outcomes.collect::<Result<_, _>>().expect("outcomes")
    }
}

fn assert_confined(outcomes: &[Outcome]) {
    let [v4, v6, allowed] = outcomes else {
        panic!("{outcomes:?}");
    };
    assert_eq!(v4.errno_name.as_deref(), Some("EPERM"), "{v4:?}");
    assert_eq!(v6.errno_name.as_deref(), Some("EPERM"), "{v6:?}");
    assert!(allowed.reply, "{allowed:?}");
}

const NOTHING: [PathBuf; 0] = [];

#[test]
fn what_a_command_leaves_running_stays_confined() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let confined = sovereign(&world);
    // A background job reads nothing unless it is handed its input.
    let daemon = r#"exec 3<&0; setsid sh -c "$WAIT" <&3 &"#;
    let mut waiting = Waiting::start(&confined, daemon);
    assert_eq!(waiting.exec.wait().expect("the end").code(), Some(0));
    let mut said = String::new();
    let mut stderr = waiting.exec.stderr.take().expect("a pipe");
    BufReader::new(&mut stderr)
        .read_line(&mut said)
        .expect("a line");
    assert!(said.contains("processes are left in"), "{said}");
    assert_confined(&waiting.go());

    assert_ne!(confined.instance.traces(), NOTHING);
    let next = confined.output(["true"]).expect("exec");
    assert!(next.status.success(), "{next:?}");
    assert_eq!(confined.instance.traces(), NOTHING);
}

#[test]
fn a_command_stays_confined_when_enforcer_is_killed() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let confined = sovereign(&world);
    let mut waiting = Waiting::start(&confined, WAIT);
    waiting.kill_enforcer();
    assert_confined(&waiting.go());

    assert_ne!(confined.instance.traces(), NOTHING);
    let next = confined.output(["true"]).expect("exec");
    assert!(next.status.success(), "{next:?}");
    assert_eq!(confined.instance.traces(), NOTHING);
}

#[test]
fn the_next_exec_leaves_alone_what_still_runs() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let confined = sovereign(&world);
    let mut killed = Waiting::start(&confined, WAIT);
    killed.kill_enforcer();
    let running = Waiting::start(&confined, WAIT);
    let next = confined.output(["true"]).expect("exec");
    assert!(next.status.success(), "{next:?}");
    assert_confined(&killed.go());
    assert_confined(&running.go());
}

#[test]
fn detach_ends_what_was_left() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let confined = sovereign(&world);
    let mut waiting = Waiting::start(&confined, WAIT);
    waiting.kill_enforcer();
    let detach = || {
        let output = confined.instance.verb("detach").expect("enforcer").output();
        output.expect("enforcer")
    };
    assert!(detach().status.success());
    assert!(!confined.instance.pins().exists());
    // The only way to end enforcement: the command is no longer confined.
    let outcomes = waiting.go();
    assert!(outcomes.iter().all(|outcome| outcome.reply), "{outcomes:?}");
    let again = detach();
    assert!(again.status.success(), "{again:?}");
    assert_eq!(confined.instance.traces(), NOTHING);
}

#[test]
fn detach_without_anything_says_so() {
    let instance = lab::Instance::new().expect("an instance");
    let output = instance
        .verb("detach")
        .and_then(|mut detach| Ok(detach.output()?));
    let output = output.expect("enforcer");
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("nothing is attached"), "{said}");
    assert!(
        !Path::new("/sys/fs/bpf/enforcer")
            .join(instance.name())
            .exists()
    );
}

fn sovereign(world: &World) -> Confined<'_> {
    Confined::new(world)
        .expect("an instance")
        .policy(&lab::policy("sovereign-llm.yaml"))
}
