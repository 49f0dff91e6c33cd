//! Whose a cgroup is, by its path alone: pods, containers and systemd units in the layouts that
//! kubelets, container engines and systemd make.
//!
//! | driver | pod | container |
//! |---|---|---|
//! | cgroupfs | `kubepods/burstable/podUID` | `ID` |
//! | systemd | `kubepods-burstable-podUID.slice`, UID with `_` for `-` | `cri-containerd-ID.scope`, `crio-ID.scope`, `docker-ID.scope` |
//!
//! Guaranteed pods have no level of their own. A kubelet in a container (kind, k3s) has the same tree
//! below a prefix, with `kubelet-` before the names of slices or `kubelet` above them.

use std::fmt;

/// What a path says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner<'a> {
    /// A pod's own cgroup.
    Pod(PodUid),
    /// A container of a pod, or something below it.
    Container {
        /// The pod.
        pod: PodUid,
        /// The container's id.
        container: &'a str,
    },
    /// A systemd unit's own cgroup.
    Unit(&'a str),
}

/// `metadata.uid` of a pod: a UUID, or of static pods 128 bits without dashes, which is the same
/// number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PodUid(u128);

impl PodUid {
    /// Reads either form; systemd's has `_` for `-`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut number: u128 = 0;
        let mut digits = 0;
        for byte in text.bytes() {
            if matches!(byte, b'-' | b'_') {
                continue;
            }
            let digit = (byte as char).to_digit(16)?;
            number = number << 4 | u128::from(digit);
            digits += 1;
        }
        (digits == 32).then_some(Self(number))
    }
}

impl fmt::Display for PodUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:032x}", self.0);
        let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &digits[part]);
        f.write_str(&parts.join("-"))
    }
}

/// Whose the cgroup of this path below the mount is. `None`: nobody's that is known.
#[must_use]
pub fn owner(path: &str) -> Option<Owner<'_>> {
    let mut pod = None;
    for component in path.split('/').filter(|part| !part.is_empty()) {
        match pod {
            None => {
                if let Some(container) = joined(component) {
                    return Some(container);
                }
                pod = pod_of(component);
            }
            Some(pod) => {
                if let Some(container) = container_of(component) {
                    return Some(Owner::Container { pod, container });
                }
            }
        }
    }
    let last = path.rsplit('/').next().unwrap_or_default();
    match pod {
        Some(pod) if pod_of(last) == Some(pod) => Some(Owner::Pod(pod)),
        Some(_) => None,
        None => is_unit(last).then_some(Owner::Unit(last)),
    }
}

/// The pod that a path is of or below.
#[must_use]
pub fn pod(path: &str) -> Option<PodUid> {
    match owner(path)? {
        Owner::Pod(pod) | Owner::Container { pod, .. } => Some(pod),
        Owner::Unit(_) => None,
    }
}

/// Whether a kubelet makes pods below this path: `kubepods` and its classes of service.
#[must_use]
pub fn holds_pods(path: &str) -> bool {
    let of_kubelet = |part: &str| part.starts_with("kubepods") || part.starts_with("kubelet");
    path.split('/').any(of_kubelet)
}

/// Whether systemd makes units below this path: slices, and the managers of users.
#[must_use]
pub fn holds_units(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.ends_with(".slice") || name.starts_with("user@")
}

/// `podUID`, `kubepods-burstable-podUID.slice`.
fn pod_of(component: &str) -> Option<PodUid> {
    let name = component.strip_suffix(".slice").unwrap_or(component);
    let (before, uid) = name.rsplit_once("pod")?;
    let in_slices = before.contains("kubepods") && before.ends_with('-');
    let is_pod = before.is_empty() && name == component || in_slices && name != component;
    is_pod.then(|| PodUid::parse(uid)).flatten()
}

/// `ID`, `cri-containerd-ID.scope`. The monitors of CRI-O and podman stand beside their containers.
fn container_of(component: &str) -> Option<&str> {
    let name = component.strip_suffix(".scope").unwrap_or(component);
    let id = name.rsplit_once('-').map_or(name, |(_, id)| id);
    let is_monitor = name.contains("conmon");
    (is_container_id(id) && !is_monitor).then_some(id)
}

/// `kubepods-burstable-podUID.slice:cri-containerd:ID`: containerd without systemd below a kubelet
/// with it.
fn joined(component: &str) -> Option<Owner<'_>> {
    let (slice, rest) = component.split_once(':')?;
    let (_, container) = rest.split_once(':')?;
    let pod = pod_of(slice)?;
    is_container_id(container).then_some(Owner::Container { pod, container })
}

/// Engines name containers by 32 bytes in hexadecimal.
fn is_container_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Unit types that have a cgroup (systemd.resource-control(5)).
fn is_unit(component: &str) -> bool {
    let types = [".service", ".scope", ".slice", ".socket", ".mount", ".swap"];
    types.iter().any(|kind| component.ends_with(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "6a2b8f8e-1c3d-4e5f-8a9b-0c1d2e3f4a5b";
    const STATIC: &str = "0123456789abcdef0123456789abcdef";
    const ID: &str = "4f9a2c1de5b8704f9a2c1de5b8704f9a2c1de5b8704f9a2c1de5b8704f9a2c1d";

    /// `U` stands for the UID, `V` for it as systemd writes it, `I` for a container.
    fn written(path: &str) -> String {
        path.replace("{U}", UID)
            .replace("{V}", &UID.replace('-', "_"))
            .replace("{S}", STATIC)
            .replace("{I}", ID)
    }

    #[test]
    fn layouts_of_kubelets_and_engines() {
        let uid = PodUid::parse(UID).expect("a uid");
        let fixed = PodUid::parse(STATIC).expect("a uid");
        let systemd = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{V}.slice";
        let effort = "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{V}.slice";
        let kind = "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/\
                    kubelet-kubepods-burstable-pod{V}.slice";
        let nested = "/system.slice/docker-{I}.scope/kubelet/kubepods/besteffort/pod{U}";
        let container = |pod| Some(Owner::Container { pod, container: ID });
        let cases = [
            // cgroupfs driver, every class of service.
            ("/kubepods/burstable/pod{U}".to_owned(), Some(Owner::Pod(uid))),
            ("/kubepods/besteffort/pod{U}/{I}".to_owned(), container(uid)),
            ("/kubepods/pod{U}/{I}".to_owned(), container(uid)),
            ("/kubepods/burstable/pod{S}/{I}".to_owned(), container(fixed)),
            ("/kubepods/pod{U}/{I}/init".to_owned(), container(uid)),
            // systemd driver.
            (systemd.to_owned(), Some(Owner::Pod(uid))),
            (format!("{systemd}/cri-containerd-{{I}}.scope"), container(uid)),
            (format!("{systemd}/crio-{{I}}.scope"), container(uid)),
            (format!("{systemd}/crio-{{I}}.scope/container"), container(uid)),
            (format!("{systemd}/crio-conmon-{{I}}.scope"), None),
            (format!("{effort}/docker-{{I}}.scope"), container(uid)),
            (
                "/kubepods.slice/kubepods-pod{V}.slice/cri-containerd-{I}.scope".to_owned(),
                container(uid),
            ),
            (
                "/kubepods.slice/kubepods-pod{S}.slice".to_owned(),
                Some(Owner::Pod(fixed)),
            ),
            (
                "/system.slice/containerd.service/kubepods-burstable-pod{V}.slice:cri-containerd:{I}"
                    .to_owned(),
                container(uid),
            ),
            // A kubelet in a container.
            (kind.to_owned(), Some(Owner::Pod(uid))),
            (format!("{kind}/cri-containerd-{{I}}.scope"), container(uid)),
            (
                format!("/docker/{{I}}{kind}/cri-containerd-{{I}}.scope"),
                container(uid),
            ),
            (format!("/system.slice/docker-{{I}}.scope{kind}"), Some(Owner::Pod(uid))),
            (nested.to_owned(), Some(Owner::Pod(uid))),
            (format!("{nested}/{{I}}"), container(uid)),
        ];
        for (path, expected) in cases {
            let path = written(&path);
            assert_eq!(owner(&path), expected, "{path}");
        }
    }

    #[test]
    fn units_and_what_is_nobodys() {
        let cases = [
            (
                "/system.slice/vllm@70b.service",
                Some(Owner::Unit("vllm@70b.service")),
            ),
            ("/system.slice", Some(Owner::Unit("system.slice"))),
            ("/kubepods.slice", Some(Owner::Unit("kubepods.slice"))),
            ("/system.slice/vllm.service/worker", None),
            ("/kubepods/burstable", None),
            ("/kubepods/podcast", None),
            ("/kubepods/pod1234", None),
            ("/llm", None),
            ("/", None),
            ("", None),
        ];
        for (path, expected) in cases {
            assert_eq!(owner(path), expected, "{path}");
        }
        for (path, pods, units) in [
            ("/kubepods/burstable", true, false),
            ("/kubelet.slice/kubelet-kubepods.slice", true, true),
            ("/system.slice", false, true),
            ("/user.slice/user-1000.slice/user@1000.service", false, true),
            ("/system.slice/web.service", false, false),
            ("/llm", false, false),
        ] {
            assert_eq!(
                (holds_pods(path), holds_units(path)),
                (pods, units),
                "{path}"
            );
        }
        assert_eq!(pod(&written("/kubepods/pod{U}/{I}")), PodUid::parse(UID));
        assert_eq!(pod("/system.slice/vllm.service"), None);
        assert_eq!(
            PodUid::parse(UID).map(|uid| uid.to_string()).as_deref(),
            Some(UID)
        );
    }
}
