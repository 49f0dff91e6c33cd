//! Container and pod from a cgroup path.
//!
//! Layouts: the `cgroupfs` and `systemd` drivers of the kubelet with containerd, CRI-O and
//! cri-dockerd; Docker, Podman and nerdctl without Kubernetes; a node that is itself a container.

use crate::events::record::{Container, Placement};

impl Placement {
    /// Reads a path below the cgroup2 mount. A path of no known layout gives nothing.
    #[must_use]
    pub fn from_path(path: &str) -> Self {
        let mut placement = Self::default();
        let mut parent = "";
        // `<slice>:<runtime>:<id>` is what runc makes of a systemd path under the cgroupfs driver.
        for component in path.split(['/', ':']) {
            if let Some(uid) = pod_uid(component) {
                // What was read so far is the container in which the kubelet runs.
                placement = Self {
                    container: None,
                    pod_uid: Some(uid),
                };
            } else if let Some(container) = container(component, parent) {
                placement.container = Some(container);
            }
            parent = component;
        }
        placement
    }
}

/// `pod<uid>` (cgroupfs) or `[<parents>-]kubepods[-<qos>]-pod<uid with _>.slice` (systemd).
fn pod_uid(component: &str) -> Option<String> {
    let uid = match component.strip_suffix(".slice") {
        Some(slice) => {
            let (parents, uid) = slice.rsplit_once("-pod")?;
            parents
                .contains("kubepods")
                .then_some(uid)?
                .replace('_', "-")
        }
        None => component.strip_prefix("pod")?.to_owned(),
    };
    let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let valid = match uid.len() {
        32 => hex(&uid),
        36 => {
            let lengths = uid.split('-').map(str::len);
            lengths.eq([8, 4, 4, 4, 12]) && uid.split('-').all(hex)
        }
        _ => false,
    };
    valid.then_some(uid)
}

/// `<id>` (cgroupfs) or `<runtime>-<id>[.scope]`.
fn container(component: &str, parent: &str) -> Option<Container> {
    let unit = component.strip_suffix(".scope").unwrap_or(component);
    match unit.rsplit_once('-') {
        // conmon watches a container and is not in it.
        Some((prefix, _)) if prefix.ends_with("conmon") => None,
        Some((prefix, id)) => Some(Container {
            id: container_id(id)?,
            runtime: runtime(prefix),
        }),
        None => Some(Container {
            id: container_id(unit)?,
            runtime: runtime(parent),
        }),
    }
}

fn container_id(text: &str) -> Option<String> {
    let valid = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    valid.then(|| text.to_owned())
}

fn runtime(prefix: &str) -> Option<&'static str> {
    match prefix {
        "cri-containerd" | "nerdctl" => Some("containerd"),
        "crio" => Some("cri-o"),
        "docker" => Some("docker"),
        "libpod" => Some("podman"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Placement;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const OUTER: &str = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";
    const UID: &str = "2f1b3c4d-5e6f-4a1b-8c2d-0123456789ab";
    const UNIT_UID: &str = "2f1b3c4d_5e6f_4a1b_8c2d_0123456789ab";

    #[track_caller]
    fn check(path: &str, container: Option<&str>, runtime: Option<&str>, uid: Option<&str>) {
        let placement = Placement::from_path(path);
        let found = placement.container.as_ref();
        assert_eq!(
            found.map(|container| container.id.as_str()),
            container,
            "{path}"
        );
        assert_eq!(
            found.and_then(|container| container.runtime),
            runtime,
            "{path}"
        );
        assert_eq!(placement.pod_uid.as_deref(), uid, "{path}");
    }

    #[test]
    fn kubelet_with_the_cgroupfs_driver() {
        for parents in ["/kubepods/burstable", "/kubepods/besteffort", "/kubepods"] {
            check(
                &format!("{parents}/pod{UID}/{ID}"),
                Some(ID),
                None,
                Some(UID),
            );
            check(
                &format!("{parents}/pod{UID}/crio-{ID}"),
                Some(ID),
                Some("cri-o"),
                Some(UID),
            );
            check(&format!("{parents}/pod{UID}"), None, None, Some(UID));
        }
    }

    #[test]
    fn kubelet_with_the_systemd_driver() {
        let slices = [
            format!(
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UNIT_UID}.slice"
            ),
            format!("/kubepods.slice/kubepods-pod{UNIT_UID}.slice"),
            format!(
                "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/\
                 kubelet-kubepods-besteffort-pod{UNIT_UID}.slice"
            ),
        ];
        let scopes = [
            ("cri-containerd", "containerd"),
            ("crio", "cri-o"),
            ("docker", "docker"),
        ];
        for slice in slices {
            for (prefix, runtime) in scopes {
                let scope = format!("{slice}/{prefix}-{ID}.scope");
                check(&scope, Some(ID), Some(runtime), Some(UID));
                check(
                    &format!("{scope}/container"),
                    Some(ID),
                    Some(runtime),
                    Some(UID),
                );
                check(
                    &format!("{scope}/init.scope"),
                    Some(ID),
                    Some(runtime),
                    Some(UID),
                );
            }
            check(
                &format!("{slice}/crio-conmon-{ID}.scope"),
                None,
                None,
                Some(UID),
            );
        }
    }

    #[test]
    fn static_pods_have_a_hash_for_a_uid() {
        let hash = "0123456789abcdef0123456789abcdef";
        let slice = format!("/kubepods.slice/kubepods-pod{hash}.slice/cri-containerd-{ID}.scope");
        check(&slice, Some(ID), Some("containerd"), Some(hash));
        check(
            &format!("/kubepods/pod{hash}/{ID}"),
            Some(ID),
            None,
            Some(hash),
        );
    }

    #[test]
    fn a_systemd_path_under_the_cgroupfs_driver() {
        let path =
            format!("/system.slice/kubepods-burstable-pod{UNIT_UID}.slice:cri-containerd:{ID}");
        check(&path, Some(ID), Some("containerd"), Some(UID));
    }

    #[test]
    fn without_kubernetes() {
        check(&format!("/docker/{ID}"), Some(ID), Some("docker"), None);
        check(
            &format!("/system.slice/docker-{ID}.scope"),
            Some(ID),
            Some("docker"),
            None,
        );
        check(
            &format!("/machine.slice/libpod-{ID}.scope/container"),
            Some(ID),
            Some("podman"),
            None,
        );
        check(
            &format!("/machine.slice/libpod-conmon-{ID}.scope"),
            None,
            None,
            None,
        );
        check(
            &format!("/system.slice/nerdctl-{ID}.scope"),
            Some(ID),
            Some("containerd"),
            None,
        );
    }

    #[test]
    fn the_innermost_counts() {
        let node = format!("/docker/{OUTER}/kubelet/kubepods/pod{UID}");
        check(&format!("{node}/{ID}"), Some(ID), None, Some(UID));
        check(&node, None, None, Some(UID));
        check(
            &format!("/kubepods/pod{UID}/{OUTER}/docker/{ID}"),
            Some(ID),
            Some("docker"),
            Some(UID),
        );
    }

    #[test]
    fn other_paths_say_nothing() {
        let paths = [
            "",
            "/",
            "/user.slice/user-1000.slice/session-1.scope",
            "/system.slice/podman.service",
            "/system.slice/vllm@0.service",
            "/podium",
            "/pod",
            "/kubepods/burstable/podxyz",
            "//-/:/.scope",
            "/kubepods/pod2f1b3c4d-5e6f-4a1b-8c2d_0123456789ab",
        ];
        for path in paths {
            check(path, None, None, None);
        }
    }
}
