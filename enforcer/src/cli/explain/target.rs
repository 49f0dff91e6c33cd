//! Destinations as people write them.

use std::{
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
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
    proto: Protocol,
    /// As it was written.
    proto_name: String,
    ports: Ports,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Address(IpAddr),
    Name(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    /// ICMP has a number for each family of addresses.
    Icmp,
    Numbered(Proto),
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
        let proto_name = proto_name.unwrap_or("tcp");
        let proto = Protocol::from_str(proto_name)?;
        let ports = match port {
            Some(_) if !proto.has_ports() => {
                return Err(TargetError::NoPorts(proto_name.to_owned()));
            }
            Some(port) => Ports::is(port),
            None if proto.has_ports() => Ports::is(Port(443)),
            None => Ports::ABSENT,
        };
        Ok(Self {
            host,
            proto,
            proto_name: proto_name.to_owned(),
            ports,
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

impl FromStr for Protocol {
    type Err = TargetError;

    fn from_str(name: &str) -> Result<Self, TargetError> {
        Ok(Self::Numbered(match name {
            "tcp" => Proto::TCP,
            "udp" => Proto::UDP,
            "sctp" => Proto::SCTP,
            "udplite" => Proto::UDPLITE,
            "icmp" => return Ok(Self::Icmp),
            number => Proto(
                number
                    .parse()
                    .map_err(|_| TargetError::Proto(name.to_owned()))?,
            ),
        }))
    }
}

impl Protocol {
    fn has_ports(self) -> bool {
        matches!(self, Self::Numbered(proto) if proto.has_ports())
    }

    fn towards(self, dst: Addr) -> Proto {
        match self {
            Self::Icmp => Proto::icmp_to(dst),
            Self::Numbered(proto) => proto,
        }
    }
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
        let dst = Addr::from(address);
        let flow = Flow {
            subject: NOBODY,
            dst,
            proto: self.proto.towards(dst),
            ports: self.ports,
            hook: HOOK,
        };
        let place = match self.ports.port() {
            Some(port) => SocketAddr::new(address, port.0).to_string(),
            None => address.to_string(),
        };
        (format!("{place}/{}", self.proto_name), flow)
    }
}

/// As people write it, IPv4 without the prefix that maps it.
pub(super) fn text(address: Addr) -> String {
    IpAddr::from(address.octets()).to_canonical().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_destination() {
        let cases = [
            ("8.8.8.8", "8.8.8.8:443/tcp", Proto::TCP),
            ("8.8.8.8:53/udp", "8.8.8.8:53/udp", Proto::UDP),
            ("8.8.8.8:53", "8.8.8.8:53/tcp", Proto::TCP),
            ("8.8.8.8/icmp", "8.8.8.8/icmp", Proto::ICMP),
            ("8.8.8.8/47", "8.8.8.8/47", Proto(47)),
            ("2001:db8::1", "[2001:db8::1]:443/tcp", Proto::TCP),
            ("[2001:db8::1]:53/udp", "[2001:db8::1]:53/udp", Proto::UDP),
            ("[2001:db8::1]/icmp", "2001:db8::1/icmp", Proto::ICMPV6),
            ("::ffff:8.8.8.8/icmp", "::ffff:8.8.8.8/icmp", Proto::ICMP),
        ];
        for (written, said, proto) in cases {
            let target: Target = written.parse().expect(written);
            let flows = target.flows().expect(written);
            let [(text, flow)] = &flows[..] else {
                panic!("{written} is one flow");
            };
            assert_eq!((text.as_str(), flow.proto), (said, proto), "{written}");
            assert_eq!(flow.ports.port().is_some(), proto.has_ports(), "{written}");
            assert_eq!(said.parse(), Ok(target), "{said}");
        }
        let name: Target = "a.example:53/tcp".parse().expect("a name");
        assert_eq!(name.host, Host::Name("a.example".into()));
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
