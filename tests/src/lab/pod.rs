//! A pod, the node that it is on, and the rest of the world.

use super::{
    netns::NetNs,
    world::{LINK, World},
};

/// A [`World`] in which the client is a pod: its interface has its other end in a node, where a bridge
/// leads to the peer.
#[derive(Debug)]
pub struct Pod {
    /// Pod and peer, addressed as without a node.
    pub world: World,
    /// Where the daemon runs.
    pub node: NetNs,
}

impl Pod {
    /// Name of the node's end of the pod's interface.
    pub const HOST_END: &str = "pod0";

    /// Makes all three, linked and up.
    ///
    /// # Errors
    /// Without root, without `ip`, or on a kernel without veth and bridges.
    pub fn new() -> anyhow::Result<Self> {
        let node = NetNs::new()?;
        // The node itself sends nothing: what the recorder sees is the pod's.
        node.sysctl("ipv6/conf/default/disable_ipv6", "1")?;
        node.ip("link set lo up")?;
        node.ip("link add bridge0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0")?;
        node.ip("link set bridge0 up")?;
        let world = World::linked(|client, peer| {
            connect(&node, client, Self::HOST_END)?;
            connect(&node, peer, "uplink0")
        })?;
        Ok(Self { world, node })
    }

    /// Removes the pod's interface and makes it anew.
    ///
    /// # Errors
    /// As [`Pod::new`].
    pub fn renew_interface(&self) -> anyhow::Result<()> {
        self.world.client.ip(&format!("link delete {LINK}"))?;
        connect(&self.node, &self.world.client, Self::HOST_END)?;
        self.world.address_client()
    }
}

fn connect(node: &NetNs, to: &NetNs, host_end: &str) -> anyhow::Result<()> {
    node.ip(&format!(
        "link add {host_end} type veth peer name {LINK} netns {}",
        to.path().display()
    ))?;
    node.ip(&format!("link set {host_end} master bridge0 up"))
}
