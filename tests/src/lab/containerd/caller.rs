//! Pods that call out, and what is asked of them.

use std::{
    net::Ipv4Addr,
    thread,
    time::{Duration, Instant},
};

use super::{
    Containerd,
    image::BUSYBOX,
    messages::{
        CONTAINER, ContainerConfig, ContainerId, ContainerMetadata, Image, Namespaces, POD,
    },
};

/// What the policy allows.
pub const ALLOWED: Ipv4Addr = Ipv4Addr::new(3, 64, 0, 1);
/// What it denies.
pub const DENIED: Ipv4Addr = Ipv4Addr::new(52, 0, 0, 1);
/// The policy of pods with [`LABELS`].
pub const POLICY: &str = "\
apiVersion: enforcer.dev/v1alpha1
kind: EgressPolicy
metadata: {name: laboratory}
spec:
  selector: [{pods: {namespaces: [laboratory], matchLabels: {app: confined}}}]
  default: deny
  rules:
    - {name: germany, action: allow, peers: [{countries: [DE]}]}
";
/// Labels that the policy selects.
pub const LABELS: [(&str, &str); 1] = [("app", "confined")];
/// Namespaces of a pod that shares none with the node.
pub const OWN: Namespaces = Namespaces {
    network: POD,
    pid: CONTAINER,
};

/// A container that runs a script of busybox.
#[must_use]
pub fn busybox(script: &str) -> ContainerConfig {
    ContainerConfig {
        metadata: Some(ContainerMetadata {
            name: "app".into(),
            attempt: 0,
        }),
        image: Some(Image {
            image: BUSYBOX.into(),
        }),
        command: vec!["/bin/sh".into(), "-c".into(), script.into()],
        log_path: "app.log".into(),
        ..ContainerConfig::default()
    }
}

/// As its first act, tries both at once; its status says whether the allowed one answered. A connection
/// that is held for long gives up, and is tried again.
#[must_use]
pub fn both(marker: &str) -> ContainerConfig {
    let mut container = busybox(&format!(
        "echo {marker} | nc -w 3 {DENIED} 443 & \
         for try in 1 2 3 4 5 6 7 8; do \
           echo {marker} | nc -w 20 {ALLOWED} 443 | grep {marker} && break; \
         done; \
         answered=$?; wait; exit $answered"
    ));
    container.log_path = format!("{marker}.log");
    container
}

/// Waits until what [`both`] made has ended.
///
/// # Panics
/// The allowed address did not answer.
pub fn answered(containerd: &Containerd<'_>, marker: &str, container: &ContainerId) {
    let status = containerd.wait(container).expect("a status");
    let said = containerd.log(&format!("{marker}.log")).unwrap_or_default();
    assert_eq!(status, 0, "{marker} had no answer: {said}");
}

/// Waits until `holds`.
///
/// # Panics
/// It does not for thirty seconds.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "not in 30 s: {what}"
        );
        thread::sleep(Duration::from_millis(50));
    }
}
