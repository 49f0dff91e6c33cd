//! Networks and ports, cut where decisions may change.

use enforcer_common::abi::{Addr, Port};

use crate::policy::{Cidr, Policy, PortSpec};

/// First and last address, of one family.
pub(super) type Piece = (Addr, Addr);

/// Cuts a network at those of `starts` that are inside it.
pub(super) fn of_network(network: Cidr, starts: Vec<Addr>) -> Vec<Piece> {
    let (first, last) = network.ends();
    let mut starts: Vec<Addr> = starts
        .into_iter()
        .filter(|&start| first < start && start <= last)
        .chain([first])
        .collect();
    starts.sort_unstable();
    starts.dedup();
    let ends = starts[1..].iter().copied().filter_map(previous);
    let ends: Vec<Addr> = ends.chain([last]).collect();
    starts.into_iter().zip(ends).collect()
}

/// Joins ranges that touch.
pub(super) fn joined(mut pieces: Vec<Piece>) -> Vec<Piece> {
    pieces.sort_unstable();
    let mut joined: Vec<Piece> = Vec::new();
    for (first, last) in pieces {
        match joined.last_mut() {
            Some(before) if before.1 >= first || next(before.1) == Some(first) => {
                before.1 = before.1.max(last);
            }
            _ => joined.push((first, last)),
        }
    }
    joined
}

/// Cuts a protocol's ports so that `policies` say the same of all ports of a stretch.
pub(super) fn of_ports(spec: PortSpec, policies: &[&Policy]) -> Vec<PortSpec> {
    if !spec.proto.has_ports() {
        return vec![spec];
    }
    let (low, high) = spec.ports.unwrap_or((Port(1), Port(u16::MAX)));
    // Resolvers are permitted on it without a rule in the file.
    let dns = policies.iter().filter(|policy| policy.dns.is_some());
    let bounds = policies
        .iter()
        .flat_map(|policy| &policy.rules)
        .flat_map(|rule| &rule.ports)
        .filter(|other| other.proto == spec.proto)
        .filter_map(|other| other.ports)
        .chain(dns.map(|_| (Port(53), Port(53))));
    let mut starts: Vec<u16> = bounds
        .flat_map(|(first, last)| [Some(first.0), last.0.checked_add(1)])
        .flatten()
        .filter(|&start| low.0 < start && start <= high.0)
        .chain([low.0])
        .collect();
    starts.sort_unstable();
    starts.dedup();
    let ends: Vec<u16> = starts[1..]
        .iter()
        .map(|next| next - 1)
        .chain([high.0])
        .collect();
    let stretch = |(first, last)| PortSpec {
        proto: spec.proto,
        ports: Some((Port(first), Port(last))),
    };
    starts.into_iter().zip(ends).map(stretch).collect()
}

fn number(address: Addr) -> u128 {
    let (high, low) = address.halves();
    u128::from(high) << 64 | u128::from(low)
}

fn address(number: u128) -> Addr {
    Addr::from_halves((number >> 64) as u64, number as u64)
}

fn next(one: Addr) -> Option<Addr> {
    number(one).checked_add(1).map(address)
}

fn previous(one: Addr) -> Option<Addr> {
    number(one).checked_sub(1).map(address)
}
