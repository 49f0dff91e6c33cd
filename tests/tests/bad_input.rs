//! What `exec` cannot use: one clear error, status 125, the command not started, nothing changed.

use std::{
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use enforcer_tests::lab::{self, Instance, write_geo};
use tempfile::TempDir;

/// A policy for `exec` that allows nothing.
const POLICY: &str = "\
apiVersion: enforcer.dev/v1alpha1
kind: EgressPolicy
metadata: {name: strict}
spec:
  selector: [{exec: true}]
  default: deny
";

/// Files to misuse, an instance, and a command that would be seen to start.
struct Bench {
    directory: TempDir,
    instance: Instance,
}

impl Bench {
    fn new() -> Self {
        let directory = TempDir::new().expect("a directory");
        let bench = Self {
            directory,
            instance: Instance::new().expect("an instance"),
        };
        bench.write("policy.yaml", POLICY);
        write_geo(&bench.path("geo.mmdb")).expect("a database");
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("a file");
        path
    }

    fn exec(&self, policy: &Path, geo: &Path) -> Command {
        let mut exec = self.instance.verb("exec").expect("enforcer");
        exec.arg("--policy").arg(policy).arg("--geo").arg(geo);
        exec.arg("--events").arg(self.path("events.ndjson"));
        exec
    }

    /// Fails unless `exec` refuses, says all of `words`, and changes nothing.
    #[track_caller]
    fn assert_refused(&self, exec: &mut Command, words: &[&str]) -> String {
        let marker = self.path("started");
        exec.arg("--").arg("touch").arg(&marker);
        let Output { status, stderr, .. } = exec.output().expect("enforcer");
        let said = String::from_utf8_lossy(&stderr).into_owned();
        assert_eq!(status.code(), Some(125), "{said}");
        for word in words {
            assert!(said.contains(word), "no `{word}` in:\n{said}");
        }
        assert!(!said.contains("panicked"), "{said}");
        assert!(!marker.exists(), "the command was started:\n{said}");
        assert_eq!(self.instance.traces(), [] as [PathBuf; 0], "{said}");
        said
    }

    /// The same, and the error is one line.
    #[track_caller]
    fn assert_refused_in_a_line(&self, exec: &mut Command, words: &[&str]) {
        let said = self.assert_refused(exec, words);
        assert!(said.starts_with("enforcer: "), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn what_is_well_formed_runs() {
    let bench = Bench::new();
    let mut exec = bench.exec(&bench.path("policy.yaml"), &bench.path("geo.mmdb"));
    let output = exec.args(["--", "true"]).output().expect("enforcer");
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[test]
fn broken_policies() {
    let bench = Bench::new();
    let geo = bench.path("geo.mmdb");
    for (from, to, words) in [
        (
            "deny",
            "denyy",
            &["policy.yaml:6:12", "did you mean `deny`?"][..],
        ),
        (
            "default",
            "defualt",
            &["policy.yaml:6:3", "did you mean `default`?"],
        ),
        ("exec: true", "cgroups: []", &["policy.yaml:5"]),
        ("[{exec: true}]", "[{exec: true}", &["policy.yaml:"]),
        ("strict", "Not A Name", &["policy.yaml:3"]),
    ] {
        let policy = bench.write("policy.yaml", &POLICY.replace(from, to));
        bench.assert_refused(&mut bench.exec(&policy, &geo), words);
    }
    let elsewhere = POLICY.replace("exec: true", "cgroups: [/llm]");
    let policy = bench.write("policy.yaml", &elsewhere);
    let words = ["none of the policies selects exec", "exec: true"];
    bench.assert_refused_in_a_line(&mut bench.exec(&policy, &geo), &words);
    let nowhere = bench.path("nowhere.yaml");
    bench.assert_refused(&mut bench.exec(&nowhere, &geo), &["nowhere.yaml"]);
    let empty = bench.path("empty");
    fs::create_dir(&empty).expect("a directory");
    bench.assert_refused(&mut bench.exec(&empty, &geo), &["exec"]);
}

#[test]
fn broken_databases() {
    let bench = Bench::new();
    let policy = bench.path("policy.yaml");
    let sound = fs::read(bench.path("geo.mmdb")).expect("a database");
    let truncated = bench.path("truncated.mmdb");
    fs::write(&truncated, &sound[..sound.len() / 2]).expect("a file");
    let headless = bench.path("headless.mmdb");
    fs::write(&headless, &sound[sound.len() / 2..]).expect("a file");
    let foreign = bench.write("foreign.mmdb", "country,network\nDE,3.64.0.0/12\n");
    let empty = bench.write("empty.mmdb", "");
    for (geo, words) in [
        (&truncated, &["truncated.mmdb", "not a MaxMind DB file"][..]),
        (&headless, &["headless.mmdb"]),
        (&foreign, &["foreign.mmdb", "not a MaxMind DB file"]),
        (&empty, &["empty.mmdb", "not a MaxMind DB file"]),
        (&policy, &["policy.yaml", "not a MaxMind DB file"]),
        (&bench.path("none.mmdb"), &["none.mmdb", "No such file"]),
        (&bench.path(""), &["Is a directory"]),
    ] {
        bench.assert_refused_in_a_line(&mut bench.exec(&policy, geo), words);
    }
}

#[test]
fn events_that_cannot_be_written() {
    let bench = Bench::new();
    let mut exec = bench.instance.verb("exec").expect("enforcer");
    exec.arg("--policy").arg(bench.path("policy.yaml"));
    exec.arg("--geo").arg(bench.path("geo.mmdb"));
    exec.arg("--events")
        .arg(bench.path("nowhere/events.ndjson"));
    bench.assert_refused_in_a_line(&mut exec, &["nowhere/events.ndjson", "No such file"]);
}

#[test]
fn no_privileges() {
    let bench = Bench::new();
    // It must be able to read what it is given.
    let open = |path: &Path, mode| {
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
    };
    open(bench.directory.path(), 0o777).expect("a mode");
    let program = bench.path("enforcer");
    fs::copy(lab::binary("enforcer").expect("enforcer"), &program).expect("a copy");
    let mut exec = Command::new(&program);
    exec.args(["--instance", bench.instance.name(), "exec"]);
    exec.arg("--policy").arg(bench.path("policy.yaml"));
    exec.arg("--geo").arg(bench.path("geo.mmdb"));
    exec.uid(65534).gid(65534);
    bench.assert_refused_in_a_line(&mut exec, &["needs root", "sudo"]);
}

#[test]
fn no_cgroup2() {
    let bench = Bench::new();
    let exec = bench.exec(&bench.path("policy.yaml"), &bench.path("geo.mmdb"));
    // In a mount namespace of its own, without any cgroup mount.
    let mount = lab::mount().expect("a mount");
    let mut without = Command::new("unshare");
    without
        .args(["--mount", "sh", "-c", r#"umount -l "$0" && exec "$@""#])
        .arg(mount)
        .arg(exec.get_program())
        .args(exec.get_args());
    bench.assert_refused_in_a_line(&mut without, &["no cgroup2", "mount -t cgroup2"]);
}
