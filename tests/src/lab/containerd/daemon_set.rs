//! The pod of `deploy/kubernetes/enforcer.yaml`, as a kubelet reads it.

use std::{fs, path::Path};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::{
    messages::{
        Capabilities, ContainerConfig, ContainerMetadata, ContainerSecurity, Image, LinuxContainer,
        Mount, NODE, Namespaces, Number, POD, Profile,
    },
    yaml,
};

/// What the manifest says of the pod and its files.
#[derive(Clone, Debug)]
pub struct DaemonSet {
    documents: Vec<Value>,
    pod: Value,
}

impl DaemonSet {
    /// Reads the manifest of this repository.
    ///
    /// # Errors
    /// It has another shape.
    pub fn read() -> anyhow::Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/kubernetes/enforcer.yaml");
        let documents = yaml::documents(&fs::read_to_string(path)?)?;
        let is_daemon_set = |it: &&Value| it["kind"] == "DaemonSet";
        let daemon_set = documents.iter().find(is_daemon_set);
        let pod = daemon_set.context("no DaemonSet")?["spec"]["template"]["spec"].clone();
        let containers = pod["containers"].as_array().map_or(0, Vec::len);
        ensure!(containers == 1, "{containers} containers in place of one");
        Ok(Self { documents, pod })
    }

    /// A file of a ConfigMap.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn file(&self, config_map: &str, name: &str) -> anyhow::Result<&str> {
        let mut maps = self.documents.iter().filter(|it| it["kind"] == "ConfigMap");
        let found = maps.find(|it| it["metadata"]["name"] == config_map);
        let text = found.and_then(|it| it["data"][name].as_str());
        text.with_context(|| format!("no {name} in {config_map}"))
    }

    /// What it adds to no capabilities at all.
    ///
    /// # Errors
    /// It adds none.
    pub fn capabilities(&self) -> anyhow::Result<Vec<String>> {
        texts(&self.security()["capabilities"]["add"])
    }

    /// The command that says whether the daemon answers.
    ///
    /// # Errors
    /// There is none.
    pub fn probe(&self) -> anyhow::Result<Vec<String>> {
        texts(&self.pod["containers"][0]["readinessProbe"]["exec"]["command"])
    }

    /// The namespaces of the pod.
    #[must_use]
    pub fn namespaces(&self) -> Namespaces {
        let of = |shared: &Value| if *shared == true { NODE } else { POD };
        Namespaces {
            network: of(&self.pod["hostNetwork"]),
            pid: of(&self.pod["hostPID"]),
        }
    }

    /// The container as a kubelet orders it. A ConfigMap is a directory of its name below
    /// `config_maps`.
    ///
    /// # Errors
    /// It wants what is not played here.
    pub fn container(&self, image: &str, config_maps: &Path) -> anyhow::Result<ContainerConfig> {
        let security = self.security();
        ensure!(security["privileged"] == false, "it is privileged");
        let seccomp = match security["seccompProfile"]["type"].as_str() {
            Some("RuntimeDefault") => 0,
            other => bail!("system calls as {other:?}"),
        };
        let context = ContainerSecurity {
            capabilities: Some(Capabilities {
                add: self.capabilities()?,
                drop: texts(&security["capabilities"]["drop"])?,
            }),
            namespace_options: Some(self.namespaces()),
            run_as_user: security["runAsUser"].as_i64().map(|value| Number { value }),
            readonly_rootfs: security["readOnlyRootFilesystem"] == true,
            no_new_privs: security["allowPrivilegeEscalation"] == false,
            seccomp: Some(Profile { kind: seccomp }),
        };
        let container = &self.pod["containers"][0];
        let mounts = container["volumeMounts"].as_array().context("no mounts")?;
        let mounts = mounts.iter().map(|it| self.mount(it, config_maps));
        Ok(ContainerConfig {
            metadata: Some(ContainerMetadata {
                name: "enforcer".into(),
                attempt: 0,
            }),
            image: Some(Image {
                image: image.into(),
            }),
            command: Vec::new(),
            args: texts(&container["args"])?,
            mounts: mounts.collect::<anyhow::Result<_>>()?,
            log_path: "enforcer.log".into(),
            linux: Some(LinuxContainer {
                security_context: Some(context),
            }),
        })
    }

    fn security(&self) -> &Value {
        &self.pod["containers"][0]["securityContext"]
    }

    fn mount(&self, mount: &Value, config_maps: &Path) -> anyhow::Result<Mount> {
        let volumes = self.pod["volumes"].as_array().context("no volumes")?;
        let volume = volumes.iter().find(|it| it["name"] == mount["name"]);
        let volume = volume.with_context(|| format!("{mount}: no such volume"))?;
        let host_path = match (&volume["hostPath"]["path"], &volume["configMap"]["name"]) {
            (Value::String(path), Value::Null) => path.clone(),
            (Value::Null, Value::String(name)) => config_maps.join(name).display().to_string(),
            _ => bail!("{volume}: neither a path of the node nor a ConfigMap"),
        };
        let propagation = match mount["mountPropagation"].as_str() {
            None => 0,
            Some("HostToContainer") => 1,
            Some(other) => bail!("{mount}: {other}"),
        };
        Ok(Mount {
            container_path: mount["mountPath"].as_str().context("no place")?.to_owned(),
            host_path,
            readonly: mount["readOnly"] == true,
            propagation,
        })
    }
}

fn texts(list: &Value) -> anyhow::Result<Vec<String>> {
    serde_json::from_value(list.clone()).with_context(|| format!("{list} is no list of words"))
}
