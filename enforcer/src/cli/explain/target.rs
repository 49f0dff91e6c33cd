//! Destinations as people write them.

use std::{
    net::{IpAddr, Ipv6Addr, ToSocketAddrs as _},
    str::FromStr,
};

use anyhow::Context as _;
use enforcer_common::{
    abi::{Addr, Port, Ports, Proto},
    verdict::Flow,
};

use super::{HOOK, NOBODY};

/// `ADDR|NAME[:PORT[/PROTO]]` or `ADDR|NAME/PROTO`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    host: Host,
    proto: Proto,
    ports: Ports,
    suffix: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Address(IpAddr),
    Name(String),
}

/// What was written is no destination.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TargetError {
    #[error("write ADDR or NAME before the port, as in 8.8.8.8:443/tcp")]
    NoHost,
    #[error("`{0}` is not a port: 0 to 65535")]
    Port(String),
    #[error("`{0}` is not a protocol: tcp, udp, sctp, udplite, icmp, or a number")]
    Proto(String),
    #[error("protocol {0} has no ports: write ADDR/PROTO")]
    NoPorts(String),
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let (place, proto_name) = match text.rsplit_once('/') {
            Some((place, proto)) => (place, Some(proto)),
            None => (text, None),
        };
        let (host, port) = split_port(place)?;
        let is_v6 = matches!(host, Host::Address(IpAddr::V6(v6)) if v6.to_ipv4_mapped().is_none());
        let proto = proto_name.map_or(Ok(Proto::TCP), |name| proto(name, is_v6))?;
        let ports = match port {
            Some(_) if !proto.has_ports() => {
                return Err(TargetError::NoPorts(
                    proto_name.unwrap_or_default().to_owned(),
                ));
            }
            Some(port) => Ports::is(port),
            None if proto.has_ports() => Ports::is(Port(443)),
            None => Ports::ABSENT,
        };
        let proto_name = proto_name.unwrap_or("tcp");
        let suffix = match ports.port() {
            Some(port) => format!(":{}/{proto_name}", port.0),
            None => format!("/{proto_name}"),
        };
        Ok(Self {
            host,
            proto,
            ports,
            suffix,
        })
    }
}

/// Brackets or a single colon set a port apart.
fn split_port(place: &str) -> Result<(Host, Option<Port>), TargetError> {
    let port = |text: &str| {
        text.parse()
            .map(Port)
            .map_err(|_| TargetError::Port(text.to_owned()))
    };
    if let Ok(address) = place.parse() {
        return Ok((Host::Address(address), None));
    }
    let (host, number) = match place
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(rest.trim_start_matches(':'))),
        None => match place.rsplit_once(':') {
            Some((host, number)) => (host, Some(number)),
            None => (place, None),
        },
    };
    if host.is_empty() {
        return Err(TargetError::NoHost);
    }
    let host = host
        .parse()
        .map_or_else(|_| Host::Name(host.to_owned()), Host::Address);
    Ok((host, number.map(port).transpose()?))
}

fn proto(name: &str, is_v6: bool) -> Result<Proto, TargetError> {
    Ok(match name {
        "tcp" => Proto::TCP,
        "udp" => Proto::UDP,
        "sctp" => Proto::SCTP,
        "udplite" => Proto::UDPLITE,
        "icmp" if is_v6 => Proto::ICMPV6,
        "icmp" => Proto::ICMP,
        number => Proto(
            number
                .parse()
                .map_err(|_| TargetError::Proto(name.to_owned()))?,
        ),
    })
}

impl Target {
    pub(super) fn is_name(&self) -> bool {
        matches!(self.host, Host::Name(_))
    }

    /// One flow for each address; a name is looked up as this host does it.
    pub(super) fn flows(&self) -> anyhow::Result<Vec<(String, Flow)>> {
        let addresses = match &self.host {
            Host::Address(address) => vec![*address],
            Host::Name(name) => {
                let found = (name.as_str(), 0).to_socket_addrs();
                let found = found.with_context(|| format!("look up {name}: give an address"))?;
                let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
                addresses.dedup();
                addresses
            }
        };
        Ok(addresses
            .into_iter()
            .map(|address| self.flow(address))
            .collect())
    }

    fn flow(&self, address: IpAddr) -> (String, Flow) {
        let dst = match address {
            IpAddr::V4(v4) => Addr::from_v4(v4.octets()),
            IpAddr::V6(v6) => Addr::from_v6(v6.octets()),
        };
        let host = match address {
            IpAddr::V6(v6) => format!("[{v6}]"),
            IpAddr::V4(v4) => v4.to_string(),
        };
        let Self {
            proto,
            ports,
            suffix,
            ..
        } = self;
        let flow = Flow {
            subject: NOBODY,
            dst,
            proto: *proto,
            ports: *ports,
            hook: HOOK,
        };
        (format!("{host}{suffix}"), flow)
    }
}

/// As people write it, IPv4 without the prefix that maps it.
pub(super) fn text(address: Addr) -> String {
    Ipv6Addr::from(address.octets()).to_canonical().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Host, Proto, Ports) {
        let Target {
            host, proto, ports, ..
        } = text.parse().expect(text);
        (host, proto, ports)
    }

    #[test]
    fn every_way_to_write_a_destination() {
        let v4 = || Host::Address("8.8.8.8".parse().expect("IPv4"));
        let v6 = || Host::Address("2001:db8::1".parse().expect("IPv6"));
        let https = Ports::is(Port(443));
        let dns = Ports::is(Port(53));
        assert_eq!(parsed("8.8.8.8"), (v4(), Proto::TCP, https));
        assert_eq!(parsed("8.8.8.8:53/udp"), (v4(), Proto::UDP, dns));
        assert_eq!(parsed("8.8.8.8:53"), (v4(), Proto::TCP, dns));
        assert_eq!(parsed("8.8.8.8/icmp"), (v4(), Proto::ICMP, Ports::ABSENT));
        assert_eq!(parsed("2001:db8::1"), (v6(), Proto::TCP, https));
        assert_eq!(parsed("[2001:db8::1]:53/udp"), (v6(), Proto::UDP, dns));
        assert_eq!(
            parsed("[2001:db8::1]/icmp"),
            (v6(), Proto::ICMPV6, Ports::ABSENT)
        );
        assert_eq!(parsed("a.example:53/tcp").0, Host::Name("a.example".into()));
    }

    #[test]
    fn what_is_no_destination() {
        let error = |text: &str| text.parse::<Target>().expect_err(text);
        assert_eq!(error(":443"), TargetError::NoHost);
        assert_eq!(error("8.8.8.8:http"), TargetError::Port("http".into()));
        assert_eq!(error("8.8.8.8:443/quic"), TargetError::Proto("quic".into()));
        assert_eq!(
            error("8.8.8.8:443/icmp"),
            TargetError::NoPorts("icmp".into())
        );
    }
}
