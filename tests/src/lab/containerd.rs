//! A node without a kubelet: containerd with runc, in namespaces of its own, and pods ordered over CRI.
//!
//! It sees the machine as a node's containerd does, with these changes, which end with it: cgroup2 alone
//! is at `/sys/fs/cgroup`; `/run`, `/var/lib/enforcer` and `/sys/fs/bpf` are its own. Pods are below a
//! cgroup of the test.

mod caller;
mod cri;
mod daemon_set;
mod deployed;
mod image;
mod messages;
mod place;
mod yaml;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use enforcer::workloads::cri::PodSandboxMetadata;
use tempfile::TempDir;
use tokio::{runtime::Runtime, time::sleep};

use self::{
    cri::Cri,
    messages::{
        CreateContainer, ExecSync, LinuxSandbox, RunPodSandbox, Sandbox, SandboxConfig,
        SandboxSecurity,
    },
    place::{PODS, arrange, configuration, network},
};
use super::{
    cgroup::Cgroup,
    mount_ns::MountNs,
    world::{CLIENT_V4, World},
};

pub use self::{
    caller::{ALLOWED, DENIED, LABELS, OWN, POLICY, answered, both, busybox, wait_until},
    daemon_set::DaemonSet,
    deployed::Deployed,
    messages::{
        CONTAINER, ContainerConfig, ContainerId, ContainerMetadata, Executed, Image, NODE,
        Namespaces, POD,
    },
};

/// A running containerd. Pods, shims and mounts end with it.
#[derive(Debug)]
pub struct Containerd<'w> {
    world: &'w World,
    process: Mutex<Option<Child>>,
    cri: Cri,
    runtime: Runtime,
    own: Cgroup,
    _pods: Cgroup,
    kubepods: Cgroup,
    /// What it sees in place of the machine's own.
    pub mounts: MountNs,
    directory: TempDir,
}

/// A pod: its cgroup, its network namespace and its containers.
#[derive(Debug)]
pub struct CriPod {
    /// Its cgroup, made before anything else of it, as by a kubelet.
    pub cgroup: Cgroup,
    sandbox: Sandbox,
    config: SandboxConfig,
}

impl<'w> Containerd<'w> {
    /// Starts it where the client of `world` is: what pods send comes to the peer.
    ///
    /// # Errors
    /// Without root, containerd, runc, the plugins of CNI or busybox.
    pub fn new(world: &'w World) -> anyhow::Result<Self> {
        let directory = TempDir::new()?;
        let path = directory.path();
        for name in ["run/containerd", "state", "cni", "root", "image", "logs"] {
            fs::create_dir_all(path.join(name))?;
        }
        fs::write(path.join("config.toml"), configuration(path)?)?;
        fs::write(path.join("cni/lab.conf"), network(path))?;
        world.client.sysctl("ipv4/ip_forward", "1")?;
        let route = format!("route add {PODS} via {CLIENT_V4}");
        world.peer.ip(&route)?;
        let pods = Cgroup::new("pods")?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let entered = runtime.enter();
        let cri = Cri::at(&path.join("run/containerd/containerd.sock"));
        drop(entered);
        let containerd = Self {
            world,
            process: Mutex::new(None),
            cri,
            runtime,
            own: Cgroup::new("containerd")?,
            kubepods: pods.child("kubepods")?,
            _pods: pods,
            mounts: MountNs::new(|| arrange(path))?,
            directory,
        };
        containerd.start()?;
        containerd.import(&image::make(&path_of(&containerd.directory, "image"))?)?;
        Ok(containerd)
    }

    /// Starts it, and waits until it answers.
    ///
    /// # Errors
    /// It does not.
    pub fn start(&self) -> anyhow::Result<()> {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(path_of(&self.directory, "containerd.log"))?;
        let mut command = Command::new("containerd");
        command
            .arg("--config")
            .arg(path_of(&self.directory, "config.toml"));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        self.own.confine(&mut command)?;
        self.world.client.confine(&mut command)?;
        self.mounts.confine(&mut command)?;
        let child = command.stderr(log).spawn();
        *self.process() = Some(child.context("cannot start containerd: install it")?);
        let ready = self.runtime.block_on(self.cri.ready());
        ready.with_context(|| {
            fs::read_to_string(path_of(&self.directory, "containerd.log")).unwrap_or_default()
        })
    }

    /// Kills it. Its pods go on.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn kill(&self) -> anyhow::Result<()> {
        if let Some(mut process) = self.process().take() {
            process.kill()?;
            process.wait()?;
        }
        Ok(())
    }

    /// Loads an image from a file.
    ///
    /// # Errors
    /// It is none.
    pub fn import(&self, image: &Path) -> anyhow::Result<()> {
        let mut ctr = Command::new("ctr");
        ctr.arg("--address")
            .arg(path_of(&self.directory, "run/containerd/containerd.sock"));
        ctr.args(["--namespace", "k8s.io", "images", "import"]);
        ctr.args(["--snapshotter", "native"]).arg(image);
        let output = ctr.output().context("cannot start ctr")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "import {}: {said}",
            image.display()
        );
        Ok(())
    }

    /// The cgroup of all pods: a managed root.
    #[must_use]
    pub fn root(&self) -> &Cgroup {
        &self.kubepods
    }

    /// A directory that it sees under the same name.
    ///
    /// # Errors
    /// The disk is full.
    pub fn shared(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = path_of(&self.directory, name);
        fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// The cgroup of a new pod, before its runtime knows of it.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn announce(&self, name: &str, labels: &[(&str, &str)]) -> anyhow::Result<Announced> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let uid = format!("{:08x}-0000-4000-8000-{number:012x}", std::process::id());
        let cgroup = self.kubepods.child(&format!("pod{uid}"))?;
        let labels = labels
            .iter()
            .map(|&(key, value)| (key.into(), value.into()));
        let config = SandboxConfig {
            metadata: Some(PodSandboxMetadata {
                name: name.into(),
                uid,
                namespace: "laboratory".into(),
            }),
            hostname: name.into(),
            log_directory: path_of(&self.directory, "logs").display().to_string(),
            labels: labels.collect(),
            linux: Some(LinuxSandbox {
                cgroup_parent: cgroup.below_mount(),
                security_context: None,
            }),
        };
        Ok(Announced { cgroup, config })
    }

    /// Makes a pod with namespaces of its own.
    ///
    /// # Errors
    /// The runtime refuses.
    pub fn pod(&self, name: &str, labels: &[(&str, &str)]) -> anyhow::Result<CriPod> {
        self.run(self.announce(name, labels)?, OWN)
    }

    /// Makes a pod that was announced.
    ///
    /// # Errors
    /// The runtime refuses.
    pub fn run(&self, announced: Announced, namespaces: Namespaces) -> anyhow::Result<CriPod> {
        let Announced { cgroup, mut config } = announced;
        if namespaces.network == NODE {
            // Its name is the node's.
            config.hostname.clear();
        }
        if let Some(linux) = &mut config.linux {
            linux.security_context = Some(SandboxSecurity {
                namespace_options: Some(namespaces),
            });
        }
        let request = RunPodSandbox {
            config: Some(config.clone()),
        };
        let sandbox = self.runtime.block_on(self.cri.run(request))?;
        Ok(CriPod {
            cgroup,
            sandbox,
            config,
        })
    }

    /// Makes and starts a container of a pod.
    ///
    /// # Errors
    /// The runtime refuses.
    pub fn start_in(
        &self,
        pod: &CriPod,
        container: ContainerConfig,
    ) -> anyhow::Result<ContainerId> {
        self.runtime.block_on(async {
            let request = CreateContainer {
                sandbox: pod.sandbox.id.clone(),
                config: Some(container),
                sandbox_config: Some(pod.config.clone()),
            };
            let container = self.cri.create(request).await?;
            self.cri.start(container.clone()).await?;
            Ok(container)
        })
    }

    /// How many pods it knows.
    ///
    /// # Errors
    /// It does not answer.
    pub fn list(&self) -> anyhow::Result<usize> {
        self.runtime.block_on(self.cri.list())
    }

    /// Waits until a container has ended, and gives its status.
    ///
    /// # Errors
    /// The runtime does not know it.
    pub fn wait(&self, container: &ContainerId) -> anyhow::Result<i32> {
        self.runtime.block_on(async {
            loop {
                let status = self.cri.status(container.clone()).await?;
                // CONTAINER_EXITED
                if status.state == 2 {
                    return Ok(status.exit_code);
                }
                sleep(Duration::from_millis(50)).await;
            }
        })
    }

    /// Runs a command in a container.
    ///
    /// # Errors
    /// It cannot be started there.
    pub fn exec(&self, container: &ContainerId, command: &[String]) -> anyhow::Result<Executed> {
        let exec = ExecSync {
            container: container.id.clone(),
            command: command.to_vec(),
            timeout: 30,
        };
        self.runtime.block_on(self.cri.exec(exec))
    }

    /// What a container wrote, of those whose `log_path` this is.
    ///
    /// # Errors
    /// It wrote nothing yet.
    pub fn log(&self, log_path: &str) -> anyhow::Result<String> {
        let path = path_of(&self.directory, "logs").join(log_path);
        fs::read_to_string(&path).with_context(|| path.display().to_string())
    }

    /// Forgets a container that has ended.
    ///
    /// # Errors
    /// The runtime refuses.
    pub fn forget(&self, container: &ContainerId) -> anyhow::Result<()> {
        self.runtime
            .block_on(self.cri.remove_container(container.clone()))
    }

    /// Ends a pod and removes its cgroup, as a kubelet does.
    ///
    /// # Errors
    /// The runtime refuses.
    pub fn remove(&self, pod: CriPod) -> anyhow::Result<()> {
        self.runtime.block_on(self.cri.remove(pod.sandbox.clone()))
    }

    fn process(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pod whose cgroup is there, and nothing else.
#[derive(Debug)]
pub struct Announced {
    /// Its cgroup.
    pub cgroup: Cgroup,
    config: SandboxConfig,
}

impl Drop for Containerd<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("cannot end containerd: {error:#}");
        }
    }
}

fn path_of(directory: &TempDir, name: &str) -> PathBuf {
    directory.path().join(name)
}
