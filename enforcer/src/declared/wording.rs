//! Addresses and ports in messages.

use std::net::IpAddr;

use enforcer_common::abi::Addr;

use super::pieces::Piece;
use crate::policy::PortSpec;

/// How many ranges or ports a message lists.
const LISTED: usize = 3;

pub(super) fn ranges(pieces: &[Piece]) -> String {
    let range = |&(first, last): &Piece| {
        if first == last {
            text(first)
        } else {
            format!("{}-{}", text(first), text(last))
        }
    };
    abridged(pieces.iter().map(range), pieces.len())
}

pub(super) fn listed(ports: &[PortSpec]) -> String {
    let mut joined: Vec<PortSpec> = Vec::new();
    for &spec in ports {
        match (joined.last_mut(), spec.ports) {
            (
                Some(PortSpec {
                    proto,
                    ports: Some((_, end)),
                }),
                Some((first, last)),
            ) if *proto == spec.proto && end.0.checked_add(1) == Some(first.0) => *end = last,
            _ => joined.push(spec),
        }
    }
    abridged(joined.iter().map(ToString::to_string), joined.len())
}

fn abridged(items: impl Iterator<Item = String>, count: usize) -> String {
    let mut text = items.take(LISTED).collect::<Vec<_>>().join(", ");
    if count > LISTED {
        text += &format!(" and {} more", count - LISTED);
    }
    text
}

/// As people write it.
pub(super) fn text(address: Addr) -> String {
    IpAddr::from(address.octets()).to_canonical().to_string()
}
