use std::{
    fs,
    io::{Read, Write},
    os::unix::fs::symlink,
    path::Path,
    process::{Child, Command, Stdio},
};

use super::ProcFs;
use crate::events::{
    clock,
    record::{CommandName, Parent},
};

fn name(text: &str) -> CommandName {
    let mut bytes = [0; 16];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    CommandName::new(bytes)
}

/// A made-up process 7 that started at 10 s.
fn fake(root: &Path, comm: &str, stack: u64, cmdline: &[u8]) {
    let process = root.join("7");
    fs::create_dir_all(process.join("task/8")).expect("directories");
    let stat =
        format!("7 ({comm}) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 1000 0 0 0 0 0 {stack} 0");
    fs::write(process.join("stat"), stat).expect("stat");
    fs::write(process.join("cmdline"), cmdline).expect("cmdline");
    fs::write(process.join("cgroup"), "1:cpu:/other\n0::/llm/vllm\n").expect("cgroup");
    fs::write(process.join("task/8/comm"), "worker\n").expect("comm");
    let _ = fs::remove_file(process.join("exe"));
    symlink(format!("/bin/{comm}"), process.join("exe")).expect("exe");
}

const AFTER_START: u64 = 11_000_000_000;

#[test]
fn a_process_that_was_there() {
    let root = tempfile::tempdir().expect("directory");
    fake(root.path(), "curl", 1, b"curl\0--token\0abc\0");
    let mut proc = ProcFs::at(root.path());
    for thread in ["curl", "worker"] {
        let image = proc
            .image(7, name(thread), AFTER_START)
            .expect("the process");
        assert_eq!(image.executable.as_deref(), Some("/bin/curl"));
        assert_eq!(
            image.command_line.as_deref(),
            Some("curl --token [redacted]")
        );
        let parent = Parent {
            pid: 1,
            name: None,
            executable: None,
        };
        assert_eq!(image.parent, Some(parent));
        assert_eq!(image.cgroup.as_deref(), Some("/llm/vllm"));
    }
}

#[test]
fn another_process_with_its_pid() {
    let root = tempfile::tempdir().expect("directory");
    fake(root.path(), "curl", 1, b"curl\0");
    let mut proc = ProcFs::at(root.path());
    assert_eq!(proc.image(7, name("curl"), 9_000_000_000), None);
    assert_eq!(proc.image(8, name("curl"), AFTER_START), None);
    assert_eq!(proc.image(0, name("curl"), AFTER_START), None);
}

#[test]
fn another_program_by_now() {
    let root = tempfile::tempdir().expect("directory");
    fake(root.path(), "sh", 1, b"sh\0-c\0curl\0");
    let mut proc = ProcFs::at(root.path());
    let later = clock::boottime_ns() + 3_600_000_000_000;
    assert!(proc.image(7, name("sh"), AFTER_START).is_some());
    fake(root.path(), "curl", 2, b"curl\0");
    assert_eq!(proc.image(7, name("sh"), later), None);
    let image = proc.image(7, name("curl"), later).expect("the new program");
    assert_eq!(image.command_line.as_deref(), Some("curl"));
    fake(root.path(), "curl", 3, b"curl\0-v\0");
    let image = proc
        .image(7, name("curl"), later)
        .expect("the same name, another stack");
    assert_eq!(image.command_line.as_deref(), Some("curl -v"));
}

#[test]
fn events_from_before_the_look_need_no_other() {
    let root = tempfile::tempdir().expect("directory");
    fake(root.path(), "curl", 1, b"curl\0");
    let mut proc = ProcFs::at(root.path());
    let first = proc.image(7, name("curl"), AFTER_START);
    fs::remove_dir_all(root.path().join("7")).expect("removed");
    assert!(first.is_some());
    assert_eq!(proc.image(7, name("curl"), AFTER_START + 1), first);
    assert_eq!(
        proc.image(7, name("curl"), clock::boottime_ns() + 1_000_000_000),
        None
    );
}

#[test]
fn a_long_command_line_is_cut_between_arguments() {
    let root = tempfile::tempdir().expect("directory");
    let mut cmdline = b"java\0".repeat(800);
    cmdline.extend(b"--password\0");
    cmdline.extend([b'x'; 500]);
    fake(root.path(), "java", 1, &cmdline);
    let image = ProcFs::at(root.path())
        .image(7, name("java"), AFTER_START)
        .expect("the process");
    let line = image.command_line.as_deref().expect("a command line");
    assert!(
        line.ends_with("java --password ..."),
        "{}",
        &line[line.len() - 40..]
    );
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_real_process() {
    let mut command = Command::new("cat");
    command
        .arg("--")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut running = Running(command.spawn().expect("cat runs"));
    // Its answer proves that `execve` is over, name and all.
    let mut echo = [0];
    let (input, output) = (running.0.stdin.as_mut(), running.0.stdout.as_mut());
    input.expect("piped").write_all(b"x").expect("writes");
    output.expect("piped").read_exact(&mut echo).expect("reads");

    let at = clock::boottime_ns();
    let mut proc = ProcFs::at(Path::new("/proc"));
    let image = proc
        .image(running.0.id(), name("cat"), at)
        .expect("it runs");
    let executable = image.executable.as_deref();
    assert!(
        executable.is_some_and(|path| path.ends_with("/cat")),
        "{image:?}"
    );
    assert_eq!(image.command_line.as_deref(), Some("cat --"));
    let parent = image.parent.as_ref().expect("this process");
    let own = std::env::current_exe().expect("a file");
    assert_eq!(parent.pid, std::process::id());
    assert_eq!(parent.executable.as_deref(), own.to_str());
    assert!(parent.name.is_some());
    assert_eq!(proc.image(running.0.id(), name("dog"), at), None);
}
