//! Runs `enforcer run` over a cgroup of its own.

use std::{
    ffi::OsString,
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver},
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tempfile::TempDir;

use super::{cgroup::Cgroup, event_file::EventFile, geo, instance::Instance, netns::NetNs};

/// A managed root, policies and an instance of `enforcer` for them.
#[derive(Debug)]
pub struct Node {
    /// Its name and its pins.
    pub instance: Instance,
    /// The managed root.
    pub root: Cgroup,
    /// What the daemon says.
    pub events: EventFile,
    directory: TempDir,
    arguments: Vec<String>,
    environment: Vec<(String, OsString)>,
}

impl Node {
    /// Without policies yet, and with the database of the laboratory.
    ///
    /// # Errors
    /// Without root, or without a cgroup2 mount.
    pub fn new() -> anyhow::Result<Self> {
        let directory = TempDir::new()?;
        fs::create_dir(directory.path().join("policies"))?;
        fs::create_dir(directory.path().join("geo"))?;
        geo::write_geo(&directory.path().join("geo/laboratory.mmdb"))?;
        Ok(Self {
            instance: Instance::new()?,
            root: Cgroup::new("node")?,
            events: EventFile::at(directory.path().join("events.ndjson")),
            directory,
            arguments: vec![],
            environment: vec![],
        })
    }

    /// The file of its policies.
    #[must_use]
    pub fn policy_file(&self) -> PathBuf {
        self.directory.path().join("policies/node.yaml")
    }

    /// The file of its database.
    #[must_use]
    pub fn geo_file(&self) -> PathBuf {
        self.directory.path().join("geo/laboratory.mmdb")
    }

    /// Writes its only policy, `node`: `workload` below the root and all below that may go to these
    /// countries.
    ///
    /// # Errors
    /// The directory is full.
    pub fn allow(&self, workload: &str, countries: &[&str]) -> anyhow::Result<()> {
        self.write_policy(&self.policy(workload, countries))
    }

    /// What [`Node::allow`] writes.
    #[must_use]
    pub fn policy(&self, workload: &str, countries: &[&str]) -> String {
        format!(
            "apiVersion: enforcer.dev/v1alpha1\n\
             kind: EgressPolicy\n\
             metadata: {{name: node}}\n\
             spec:\n  \
               selector: [{{cgroups: [\"{}/{workload}/**\"]}}]\n  \
               mode: enforce\n  \
               default: deny\n  \
               rules:\n    \
                 - {{name: countries, action: allow, peers: [{{countries: [{}]}}]}}\n",
            self.root.below_mount(),
            countries.join(", ")
        )
    }

    /// Writes the file of its policies.
    ///
    /// # Errors
    /// The directory is full.
    pub fn write_policy(&self, yaml: &str) -> anyhow::Result<()> {
        Ok(fs::write(self.policy_file(), yaml)?)
    }

    /// Adds arguments of `enforcer run`.
    pub fn arguments<const N: usize>(&mut self, arguments: [&str; N]) {
        self.arguments.extend(arguments.map(str::to_owned));
    }

    /// Sets a variable of its environment.
    pub fn environment(&mut self, name: &str, value: impl Into<OsString>) {
        self.environment.push((name.to_owned(), value.into()));
    }

    /// Writes a policy `name` into a file beside those of the directory, to be pushed: what
    /// [`Node::policy`] says, by another name.
    ///
    /// # Errors
    /// The directory is full.
    pub fn bundle(
        &self,
        name: &str,
        workload: &str,
        countries: &[&str],
    ) -> anyhow::Result<PathBuf> {
        let yaml = self.policy(workload, countries);
        let path = self.directory.path().join(format!("{name}.yaml"));
        fs::write(&path, yaml.replace("name: node", &format!("name: {name}")))?;
        Ok(path)
    }

    /// `enforcer run` with all of it.
    ///
    /// # Errors
    /// `enforcer` is not built.
    pub fn command(&self) -> anyhow::Result<Command> {
        let mut command = self.instance.verb("run")?;
        let at = |name: &str| self.directory.path().join(name);
        command.arg("--policies").arg(at("policies"));
        command.arg("--geo").arg(self.geo_file());
        command.arg("--cgroup-root").arg(self.root.path());
        let sink = format!("file:{}", self.events.path().display());
        command.arg("--events").arg(sink).args(&self.arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }

    /// Starts it, and waits until it enforces.
    ///
    /// # Errors
    /// It ends instead; the error is what it said.
    pub fn start(&self) -> anyhow::Result<Daemon> {
        self.start_with(&[])
    }

    /// The same, with more options.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub fn start_with(&self, options: &[&str]) -> anyhow::Result<Daemon> {
        let mut command = self.command()?;
        command.args(options);
        Self::launch(command)
    }

    /// Starts it in a network namespace, and waits until it enforces.
    ///
    /// # Errors
    /// It ends instead; the error is what it said.
    pub fn start_in(&self, namespace: &NetNs) -> anyhow::Result<Daemon> {
        let mut command = self.command()?;
        namespace.confine(&mut command)?;
        Self::launch(command)
    }

    fn launch(mut command: Command) -> anyhow::Result<Daemon> {
        let mut child = command
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start enforcer")?;
        let stderr = child.stderr.take().context("no pipe from enforcer")?;
        let (lines, said) = mpsc::channel();
        let mut daemon = Daemon {
            child,
            reader: Some(thread::spawn(move || forward(stderr, &lines))),
            said,
            metrics: None,
        };
        daemon.wait_until_said("enforcer: ready")?;
        Ok(daemon)
    }

    /// `status --json`.
    ///
    /// # Errors
    /// It is no JSON.
    pub fn status(&self) -> anyhow::Result<Value> {
        let output = self.instance.verb("status")?.arg("--json").output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        serde_json::from_slice(&output.stdout).with_context(|| format!("no status: {said}"))
    }

    /// `flows --json`.
    ///
    /// # Errors
    /// It is no JSON.
    pub fn flows(&self) -> anyhow::Result<Value> {
        let output = self.instance.verb("flows")?.arg("--json").output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        serde_json::from_slice(&output.stdout).with_context(|| format!("no flows: {said}"))
    }

    /// Waits until the daemon has told of as many loaded or rejected changes (`action`).
    ///
    /// # Errors
    /// It does not.
    pub fn wait_for(&self, action: &str, times: usize) -> anyhow::Result<Vec<Value>> {
        self.events.wait_until(|events| {
            let told = events.iter().filter(|it| it["event"]["action"] == action);
            told.count() >= times
        })
    }
}

/// A running `enforcer run`. Killed on drop; what it enforces goes with its [`Node`].
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    reader: Option<JoinHandle<()>>,
    said: Receiver<String>,
    metrics: Option<String>,
}

impl Daemon {
    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it serves metrics: `ADDR:PORT`.
    #[must_use]
    pub fn metrics(&self) -> Option<&str> {
        self.metrics.as_deref()
    }

    /// Kills it (`SIGKILL`).
    ///
    /// # Errors
    /// It has been waited for.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// It has been waited for.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        Ok(kill(Pid::from_raw(self.child.id() as i32), signal)?)
    }

    /// Asks it to end (`SIGTERM`), and waits for that.
    ///
    /// # Errors
    /// It has been waited for.
    pub fn terminate(mut self) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::SIGTERM)?;
        Ok(self.child.wait()?)
    }

    /// Waits for an end that somebody else asked it for.
    ///
    /// # Errors
    /// It has been waited for.
    pub fn wait(mut self) -> anyhow::Result<ExitStatus> {
        Ok(self.child.wait()?)
    }

    fn wait_until_said(&mut self, line: &str) -> anyhow::Result<()> {
        let mut said = String::new();
        loop {
            match self.said.recv_timeout(Duration::from_secs(30)) {
                Ok(it) if it == line => return Ok(()),
                Ok(it) => {
                    let metrics = it.strip_prefix("enforcer: metrics on http://");
                    let address = metrics.and_then(|it| it.strip_suffix("/metrics"));
                    self.metrics = address.map(str::to_owned).or(self.metrics.take());
                    said += &format!("{it}\n");
                }
                Err(mpsc::RecvTimeoutError::Timeout) => bail!("it never said `{line}`: {said}"),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
        }
        let status = self.child.wait()?;
        ensure!(status.success(), "{status}: {said}");
        bail!("it ended: {said}")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// Reads until the end, so that the daemon never waits for a reader.
fn forward(stderr: ChildStderr, lines: &mpsc::Sender<String>) {
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        // Nobody listens any more: read on all the same.
        let _ = lines.send(line);
    }
}
