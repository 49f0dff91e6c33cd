//! Records in the vocabularies of consumers. One file each; [`record`](super::record) knows none.

use enforcer_common::abi::Proto;

pub mod ecs;
mod line;

/// Keyword of a protocol in the IANA protocol-numbers registry, lower case; `None` for those that
/// are not expected on a host.
#[must_use]
pub fn transport(proto: Proto) -> Option<&'static str> {
    Some(match proto.0 {
        1 => "icmp",
        2 => "igmp",
        4 => "ipv4",
        6 => "tcp",
        17 => "udp",
        33 => "dccp",
        41 => "ipv6",
        46 => "rsvp",
        47 => "gre",
        50 => "esp",
        51 => "ah",
        58 => "ipv6-icmp",
        89 => "ospfigp",
        94 => "ipip",
        103 => "pim",
        108 => "ipcomp",
        112 => "vrrp",
        115 => "l2tp",
        132 => "sctp",
        136 => "udplite",
        137 => "mpls-in-ip",
        _ => return None,
    })
}
