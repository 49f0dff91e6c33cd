//! Messages of CRI, as far as a kubelet's part of them is played here. Fields and numbers are those of
//! `k8s.io/cri-api/pkg/apis/runtime/v1/api.proto`.

use std::{collections::HashMap, path::Path};

use enforcer::workloads::cri::PodSandboxMetadata;

/// `RunPodSandbox`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct RunPodSandbox {
    /// The pod.
    #[prost(message, optional, tag = "1")]
    pub config: Option<SandboxConfig>,
}

/// `PodSandboxConfig`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SandboxConfig {
    /// Whose it is.
    #[prost(message, optional, tag = "1")]
    pub metadata: Option<PodSandboxMetadata>,
    /// What it calls itself.
    #[prost(string, tag = "2")]
    pub hostname: String,
    /// Where the output of containers goes.
    #[prost(string, tag = "3")]
    pub log_directory: String,
    /// Labels of the pod.
    #[prost(map = "string, string", tag = "6")]
    pub labels: HashMap<String, String>,
    /// Cgroup and namespaces.
    #[prost(message, optional, tag = "8")]
    pub linux: Option<LinuxSandbox>,
}

/// `LinuxPodSandboxConfig`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct LinuxSandbox {
    /// The pod's cgroup.
    #[prost(string, tag = "1")]
    pub cgroup_parent: String,
    /// Its namespaces.
    #[prost(message, optional, tag = "2")]
    pub security_context: Option<SandboxSecurity>,
}

/// `LinuxSandboxSecurityContext`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SandboxSecurity {
    /// Whose namespaces.
    #[prost(message, optional, tag = "1")]
    pub namespace_options: Option<Namespaces>,
}

/// `NamespaceOption`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Namespaces {
    /// [`POD`] or [`NODE`].
    #[prost(int32, tag = "1")]
    pub network: i32,
    /// [`POD`], [`CONTAINER`] or [`NODE`].
    #[prost(int32, tag = "2")]
    pub pid: i32,
}

/// `NamespaceMode.POD`.
pub const POD: i32 = 0;
/// `NamespaceMode.CONTAINER`.
pub const CONTAINER: i32 = 1;
/// `NamespaceMode.NODE`.
pub const NODE: i32 = 2;

/// The answer to [`RunPodSandbox`].
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Sandbox {
    /// Its id.
    #[prost(string, tag = "1")]
    pub id: String,
}

/// `CreateContainer`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct CreateContainer {
    /// Where.
    #[prost(string, tag = "1")]
    pub sandbox: String,
    /// What.
    #[prost(message, optional, tag = "2")]
    pub config: Option<ContainerConfig>,
    /// The pod again.
    #[prost(message, optional, tag = "3")]
    pub sandbox_config: Option<SandboxConfig>,
}

/// `ContainerConfig`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ContainerConfig {
    /// Its name.
    #[prost(message, optional, tag = "1")]
    pub metadata: Option<ContainerMetadata>,
    /// Its image.
    #[prost(message, optional, tag = "2")]
    pub image: Option<Image>,
    /// In place of the image's entry point.
    #[prost(string, repeated, tag = "3")]
    pub command: Vec<String>,
    /// In place of the image's command.
    #[prost(string, repeated, tag = "4")]
    pub args: Vec<String>,
    /// What is mounted.
    #[prost(message, repeated, tag = "7")]
    pub mounts: Vec<Mount>,
    /// Where its output goes, below the pod's directory.
    #[prost(string, tag = "11")]
    pub log_path: String,
    /// What it may do.
    #[prost(message, optional, tag = "15")]
    pub linux: Option<LinuxContainer>,
}

impl ContainerConfig {
    /// The same with capabilities beyond the runtime's own.
    #[must_use]
    pub fn with_capabilities(mut self, names: &[&str]) -> Self {
        let linux = self.linux.get_or_insert_default();
        let security = linux.security_context.get_or_insert_default();
        let capabilities = security.capabilities.get_or_insert_default();
        capabilities
            .add
            .extend(names.iter().map(|&name| name.into()));
        self
    }

    /// The same with a directory of the node in it.
    #[must_use]
    pub fn with_mount(mut self, host: &Path, container: &str) -> Self {
        self.mounts.push(Mount {
            container_path: container.into(),
            host_path: host.display().to_string(),
            readonly: false,
            propagation: 0,
        });
        self
    }
}

/// `ContainerMetadata`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ContainerMetadata {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// How often it has been started anew.
    #[prost(uint32, tag = "2")]
    pub attempt: u32,
}

/// `ImageSpec`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Image {
    /// Its name.
    #[prost(string, tag = "1")]
    pub image: String,
}

/// `Mount`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Mount {
    /// Where.
    #[prost(string, tag = "1")]
    pub container_path: String,
    /// What.
    #[prost(string, tag = "2")]
    pub host_path: String,
    /// Whether it may be written to.
    #[prost(bool, tag = "3")]
    pub readonly: bool,
    /// 0 is private, 1 is from the host.
    #[prost(int32, tag = "5")]
    pub propagation: i32,
}

/// `LinuxContainerConfig`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LinuxContainer {
    /// What it may do.
    #[prost(message, optional, tag = "2")]
    pub security_context: Option<ContainerSecurity>,
}

/// `LinuxContainerSecurityContext`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ContainerSecurity {
    /// Beyond, or less than, the runtime's own.
    #[prost(message, optional, tag = "1")]
    pub capabilities: Option<Capabilities>,
    /// Whose namespaces.
    #[prost(message, optional, tag = "3")]
    pub namespace_options: Option<Namespaces>,
    /// Its user.
    #[prost(message, optional, tag = "5")]
    pub run_as_user: Option<Number>,
    /// Whether its root is not to be written to.
    #[prost(bool, tag = "7")]
    pub readonly_rootfs: bool,
    /// Whether it may not gain privileges by executing files.
    #[prost(bool, tag = "11")]
    pub no_new_privs: bool,
    /// System calls.
    #[prost(message, optional, tag = "15")]
    pub seccomp: Option<Profile>,
}

/// `Capability`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Capabilities {
    /// Without `CAP_`.
    #[prost(string, repeated, tag = "1")]
    pub add: Vec<String>,
    /// Without `CAP_`, or `ALL`.
    #[prost(string, repeated, tag = "2")]
    pub drop: Vec<String>,
}

/// `Int64Value`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Number {
    /// The number.
    #[prost(int64, tag = "1")]
    pub value: i64,
}

/// `SecurityProfile`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Profile {
    /// 0 is the runtime's own, 1 is none.
    #[prost(int32, tag = "1")]
    pub kind: i32,
}

/// The answer to `CreateContainer`, and what is asked of a container.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ContainerId {
    /// Its id.
    #[prost(string, tag = "1")]
    pub id: String,
}

/// `ExecSync`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ExecSync {
    /// In which container.
    #[prost(string, tag = "1")]
    pub container: String,
    /// What.
    #[prost(string, repeated, tag = "2")]
    pub command: Vec<String>,
    /// Seconds.
    #[prost(int64, tag = "3")]
    pub timeout: i64,
}

/// The answer to `ExecSync`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Executed {
    /// What it wrote.
    #[prost(bytes, tag = "1")]
    pub stdout: Vec<u8>,
    /// What it said.
    #[prost(bytes, tag = "2")]
    pub stderr: Vec<u8>,
    /// How it ended.
    #[prost(int32, tag = "3")]
    pub exit_code: i32,
}

/// The answer to `ContainerStatus`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct StatusAnswer {
    /// The status.
    #[prost(message, optional, tag = "1")]
    pub status: Option<ContainerStatus>,
}

/// `ContainerStatus`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ContainerStatus {
    /// 0 created, 1 running, 2 ended.
    #[prost(int32, tag = "3")]
    pub state: i32,
    /// How it ended.
    #[prost(int32, tag = "7")]
    pub exit_code: i32,
}

/// An answer that says nothing more.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct Done {}
