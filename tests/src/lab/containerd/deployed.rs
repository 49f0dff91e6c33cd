//! enforcer on the node, as the DaemonSet deploys it.

use std::{
    env, fs,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use aya::{
    Pod,
    maps::{HashMap, Map, MapData},
};
use enforcer_common::abi::{CgroupId, Tag, names};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use super::{ContainerConfig, ContainerId, Containerd, CriPod, DaemonSet, Executed};
use crate::lab::event_file::EventFile;

/// What `cargo xtask image` calls it.
const IMAGE: &str = concat!("localhost/enforcer:", env!("CARGO_PKG_VERSION"));

/// The pod of the DaemonSet, and the daemon in it.
#[derive(Debug)]
pub struct Deployed<'c, 'w> {
    containerd: &'c Containerd<'w>,
    manifest: DaemonSet,
    pod: CriPod,
    daemon: Option<ContainerId>,
    config: ContainerConfig,
    attempt: u32,
    /// What the daemon tells.
    pub events: EventFile,
}

impl<'c, 'w> Deployed<'c, 'w> {
    /// Makes the pod, with this policy in its ConfigMap, and waits until the daemon is ready.
    ///
    /// # Errors
    /// There is no image yet, or the daemon does not become ready.
    pub fn new(containerd: &'c Containerd<'w>, policy: &str) -> anyhow::Result<Self> {
        containerd.import(&image()?)?;
        let manifest = DaemonSet::read()?;
        let maps = containerd.shared("config-maps")?;
        let settings = containerd.shared("config-maps/enforcer")?;
        let policies = containerd.shared("config-maps/enforcer-policies")?;
        fs::write(policies.join("laboratory.yaml"), policy)?;
        let text = manifest.file("enforcer", "enforcer.toml")?;
        // The node's own places, in place of those of a node with systemd.
        let root = format!("cgroup-roots = [{:?}]", containerd.root().below_mount());
        let text = replace_line(text, "cgroup-roots = ", &root)?;
        let events = r#"events = ["file:/var/lib/enforcer/events.ndjson"]"#;
        let text = replace_line(&text, "events = ", events)?;
        fs::write(settings.join("enforcer.toml"), text)?;
        let config = manifest.container(IMAGE, &maps)?;
        let announced = containerd.announce("enforcer", &[])?;
        let pod = containerd.run(announced, manifest.namespaces())?;
        let mut deployed = Self {
            containerd,
            manifest,
            pod,
            daemon: None,
            config,
            attempt: 0,
            events: EventFile::at(containerd.shared("state")?.join("events.ndjson")),
        };
        deployed.start()?;
        Ok(deployed)
    }

    /// Starts the daemon, as a kubelet does after it ended, and waits until it is ready.
    ///
    /// # Errors
    /// It does not become ready.
    pub fn start(&mut self) -> anyhow::Result<()> {
        if let Some(ended) = self.daemon.take() {
            self.containerd.wait(&ended)?;
            self.containerd.forget(&ended)?;
        }
        let mut config = self.config.clone();
        config.log_path = format!("enforcer-{}.log", self.attempt);
        if let Some(metadata) = &mut config.metadata {
            metadata.attempt = self.attempt;
        }
        self.attempt += 1;
        let log = config.log_path.clone();
        self.daemon = Some(self.containerd.start_in(&self.pod, config)?);
        let started = Instant::now();
        let probe = self.manifest.probe()?;
        while !self.exec(&probe).is_ok_and(|it| it.exit_code == 0) {
            let said = || self.containerd.log(&log).unwrap_or_default();
            ensure!(started.elapsed() < READY, "not ready: {}", said());
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Runs the program of the image with other words and capabilities; its status, and what it said.
    ///
    /// # Errors
    /// The runtime refuses.
    pub fn run_with(&self, words: &[&str], without: Option<&str>) -> anyhow::Result<(i32, String)> {
        let mut config = self.config.clone();
        config.args = words.iter().map(|&word| word.to_owned()).collect();
        let name = format!("other-{}", without.unwrap_or("none"));
        config.log_path = format!("{name}.log");
        if let Some(metadata) = &mut config.metadata {
            metadata.name = name;
        }
        if let Some(capability) = without {
            withhold(&mut config, capability)?;
        }
        let log = config.log_path.clone();
        let container = self.containerd.start_in(&self.pod, config)?;
        let status = self.containerd.wait(&container)?;
        Ok((status, self.containerd.log(&log)?))
    }

    /// Has the next [`start`](Self::start) go without a capability of the manifest.
    ///
    /// # Errors
    /// The manifest does not add it.
    pub fn withhold(&mut self, capability: &str) -> anyhow::Result<()> {
        withhold(&mut self.config, capability)
    }

    /// The manifest.
    #[must_use]
    pub fn manifest(&self) -> &DaemonSet {
        &self.manifest
    }

    /// Runs a command in the daemon's container.
    ///
    /// # Errors
    /// There is no such program in the image, or no daemon.
    pub fn exec(&self, command: &[String]) -> anyhow::Result<Executed> {
        let daemon = self.daemon.as_ref().context("no daemon")?;
        self.containerd.exec(daemon, command)
    }

    /// `enforcer status --json`.
    ///
    /// # Errors
    /// It is no JSON.
    pub fn status(&self) -> anyhow::Result<Value> {
        let command = ["enforcer", "status", "--json"].map(str::to_owned);
        let executed = self.exec(&command)?;
        let said = String::from_utf8_lossy(&executed.stderr).into_owned();
        serde_json::from_slice(&executed.stdout).with_context(|| format!("no status: {said}"))
    }

    /// Kills the daemon (`SIGKILL`).
    ///
    /// # Errors
    /// It does not run.
    pub fn kill(&self) -> anyhow::Result<()> {
        let daemon = self.daemon.as_ref().context("no daemon")?;
        let procs = self.pod.cgroup.path().join(&daemon.id).join("cgroup.procs");
        let procs = fs::read_to_string(procs)?;
        let pid = procs.lines().next().context("no process")?.parse()?;
        kill(Pid::from_raw(pid), Signal::SIGKILL)?;
        self.containerd.wait(daemon)?;
        Ok(())
    }

    /// What the kernel knows of cgroups.
    ///
    /// # Errors
    /// Nothing is pinned.
    pub fn tags(&self) -> anyhow::Result<HashMap<MapData, CgroupId, Tag>> {
        self.table(names::TAGS)
    }

    /// A table of the kernel programs.
    ///
    /// # Errors
    /// Nothing is pinned, or it is no such table.
    pub fn table<K: Pod + Send, V: Pod + Send>(
        &self,
        name: &str,
    ) -> anyhow::Result<HashMap<MapData, K, V>> {
        self.containerd.mounts.run(|| {
            let mut runs = fs::read_dir("/sys/fs/bpf/enforcer/default")?;
            let run = runs.next().context("nothing is pinned")??.path();
            let map = MapData::from_pin(run.join("maps").join(name))?;
            Ok(Map::HashMap(map).try_into()?)
        })
    }
}

/// A daemon that takes longer does not start at all.
const READY: Duration = Duration::from_secs(60);

fn withhold(config: &mut ContainerConfig, capability: &str) -> anyhow::Result<()> {
    let security = config
        .linux
        .as_mut()
        .and_then(|it| it.security_context.as_mut());
    let capabilities = security.and_then(|it| it.capabilities.as_mut());
    let added = &mut capabilities.context("no capabilities")?.add;
    let before = added.len();
    added.retain(|it| it != capability);
    ensure!(added.len() < before, "{capability} is not added");
    Ok(())
}

fn replace_line(text: &str, start: &str, with: &str) -> anyhow::Result<String> {
    ensure!(text.contains(start), "`{start}` is not in {text}");
    let lines = text.lines().map(|line| match line.starts_with(start) {
        true => with,
        false => line,
    });
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

/// The image: `ENFORCER_IMAGE`, or what `cargo xtask image` last built.
fn image() -> anyhow::Result<PathBuf> {
    if let Some(path) = env::var_os("ENFORCER_IMAGE") {
        return Ok(path.into());
    }
    let own = env::current_exe()?;
    // target/PROFILE/deps/test-HASH
    let target = own.ancestors().nth(3).context("an odd place for a test")?;
    let image = target.join("image/enforcer.tar");
    ensure!(
        image.exists(),
        "there is no {}: run `cargo xtask image`",
        image.display()
    );
    Ok(image)
}
