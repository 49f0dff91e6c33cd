//! A machine and the rest of the world.

use std::{
    fs,
    io::Read,
    net::{Ipv4Addr, Ipv6Addr},
    os::fd::{AsFd, AsRawFd},
};

use anyhow::{Context, ensure};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{NetlinkAddr, bind},
};
use socket2::{Domain, Socket, Type};

use super::netns::NetNs;

/// Address of the client's end of the link, IPv4.
pub const CLIENT_V4: Ipv4Addr = Ipv4Addr::new(10, 213, 0, 2);
/// Address of the peer's end of the link, IPv4.
pub const GATEWAY_V4: Ipv4Addr = Ipv4Addr::new(10, 213, 0, 1);
/// Address of the client's end of the link, IPv6.
pub const CLIENT_V6: Ipv6Addr = Ipv6Addr::new(0xfd13, 0xd5, 0, 0, 0, 0, 0, 2);
/// Address of the peer's end of the link, IPv6.
pub const GATEWAY_V6: Ipv6Addr = Ipv6Addr::new(0xfd13, 0xd5, 0, 0, 0, 0, 0, 1);

/// Name of the client's interface, and of the peer's.
pub const LINK: &str = "eth0";

/// Two network namespaces: a client, and a peer in which every address of the world answers.
#[derive(Debug)]
pub struct World {
    /// Where confined commands run. Its default routes lead to the peer.
    pub client: NetNs,
    /// Where every address is local.
    pub peer: NetNs,
}

impl World {
    /// Makes both, linked and up.
    ///
    /// # Errors
    /// Without root, without `ip`, or on a kernel without veth.
    pub fn new() -> anyhow::Result<Self> {
        Self::linked(|client, peer| {
            client.ip(&format!(
                "link add {LINK} type veth peer name {LINK} netns {}",
                peer.path().display()
            ))
        })
    }

    /// With what `link` puts between the two; it makes an interface [`LINK`] in each.
    pub(super) fn linked(
        link: impl FnOnce(&NetNs, &NetNs) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let (client, peer) = (NetNs::new()?, NetNs::new()?);
        for side in [&client, &peer] {
            for (name, value) in SETTINGS {
                side.sysctl(name, value)?;
            }
            side.ip("link set lo up")?;
        }
        client.sysctl("ipv4/ping_group_range", "0 2147483647")?;
        // Data in the first SYN, without asking for a cookie first; and the listening side of it.
        client.sysctl("ipv4/tcp_fastopen", "5")?;
        peer.sysctl("ipv4/tcp_fastopen", "1539")?;

        link(&client, &peer).context("cannot make a veth pair")?;
        address(&peer, GATEWAY_V4, GATEWAY_V6)?;
        let world = Self { client, peer };
        world.address_client()?;
        world.peer.run(wait_for_ipv6)?;
        let peer = &world.peer;
        // In the main table, where the link's own routes are more specific: in the local table, which
        // is asked first, the client itself would be local to the peer.
        peer.ip("route add local 0.0.0.0/0 dev lo table main")?;
        peer.ip("-6 route add local ::/0 dev lo table main")?;
        Ok(world)
    }

    /// Gives the client's interface its addresses and routes.
    pub(super) fn address_client(&self) -> anyhow::Result<()> {
        let client = &self.client;
        address(client, CLIENT_V4, CLIENT_V6)?;
        client.run(wait_for_ipv6)?;
        client.ip(&format!("route add default via {GATEWAY_V4}"))?;
        client.ip(&format!("-6 route add default via {GATEWAY_V6}"))
    }
}

fn address(side: &NetNs, v4: Ipv4Addr, v6: Ipv6Addr) -> anyhow::Result<()> {
    side.ip(&format!("addr add {v4}/30 dev {LINK}"))?;
    side.ip(&format!("addr add {v6}/64 dev {LINK} nodad"))?;
    side.ip(&format!("link set {LINK} up"))
}

/// Waits until IPv6 works over the link: the kernel makes its multicast route some time after the
/// carrier is there, and until then neighbours cannot be asked for.
fn wait_for_ipv6() -> anyhow::Result<()> {
    let routes = Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW, None)?;
    let changes = NetlinkAddr::new(0, libc::RTMGRP_IPV6_ROUTE as u32);
    bind(routes.as_raw_fd(), &changes)?;
    routes.set_nonblocking(true)?;
    loop {
        // Not /proc/net: that is the main thread's namespace.
        let table = fs::read_to_string("/proc/thread-self/net/ipv6_route")?;
        let ready = |route: &str| route.starts_with("ff00") && route.ends_with(LINK);
        if table.lines().map(str::trim_end).any(ready) {
            return Ok(());
        }
        let mut wait = [PollFd::new(routes.as_fd(), PollFlags::POLLIN)];
        ensure!(
            poll(&mut wait, PollTimeout::from(5000_u16))? > 0,
            "IPv6 does not come up"
        );
        while (&routes).read(&mut [0; 4096]).is_ok() {}
    }
}

/// In both namespaces, before the link exists.
const SETTINGS: [(&str, &str); 9] = [
    // Addresses are usable at once.
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/conf/all/accept_dad", "0"),
    ("ipv6/conf/default/accept_ra", "0"),
    // A source route or an odd source must be stopped by what is tested, not by these.
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv4/conf/all/accept_source_route", "1"),
    ("ipv4/conf/default/accept_source_route", "1"),
    // Answers to many pings in a row.
    ("ipv4/icmp_ratelimit", "0"),
    ("ipv6/icmp/ratelimit", "0"),
];
