//! Destinations as people write them.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use enforcer_common::{
    abi::{Addr, CgroupId, Hook, Port, Ports, Proto},
    names::{NameKey, Seed},
    verdict::Flow,
};

/// `[NAME@]ADDR[:PORT[/PROTO]]` or `[NAME@]ADDR/PROTO`. Port and protocol are 443/tcp unless given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// A name that the address is taken to have.
    name: Option<String>,
    address: IpAddr,
    service: Service,
}

/// What is asked of an address: a protocol, and a port if it has ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    proto: Protocol,
    /// As it was written.
    proto_name: String,
    ports: Ports,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    /// ICMP has a number for each family of addresses.
    Icmp,
    Numbered(Proto),
}

/// What was written is no destination.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    /// Nothing stands before the port.
    #[error("write ADDR or NAME before the port, as in 8.8.8.8:443/tcp")]
    NoHost,
    /// A name where only an address will do.
    #[error("`{0}` is not an address")]
    NotAnAddress(String),
    /// Not a name before the `@`.
    #[error("`{0}` is not a name: write NAME@ADDR, as in api.example.com@192.0.2.1:443/tcp")]
    NotAName(String),
    /// Not a port.
    #[error("`{0}` is not a port: 0 to 65535")]
    Port(String),
    /// Not a protocol.
    #[error("`{0}` is not a protocol: tcp, udp, sctp, udplite, icmp, or a number")]
    Proto(String),
    /// A port where there can be none.
    #[error("protocol {0} has no ports: write ADDR/PROTO")]
    NoPorts(String),
}

/// Tells host, an address without its brackets or a name, and service apart.
///
/// # Errors
/// There is no host, or the service is none.
pub fn split(text: &str) -> Result<(&str, Service), DestinationError> {
    let (place, proto_name) = match text.rsplit_once('/') {
        Some((place, proto)) => (place, Some(proto)),
        None => (text, None),
    };
    let (host, port) = split_port(place)?;
    let proto_name = proto_name.unwrap_or("tcp");
    let proto = Protocol::from_str(proto_name)?;
    let ports = match port {
        Some(_) if !proto.has_ports() => {
            return Err(DestinationError::NoPorts(proto_name.to_owned()));
        }
        Some(port) => Ports::is(port),
        None if proto.has_ports() => Ports::is(Port(443)),
        None => Ports::ABSENT,
    };
    let service = Service {
        proto,
        proto_name: proto_name.to_owned(),
        ports,
    };
    Ok((host, service))
}

/// Brackets or a single colon set a port apart.
fn split_port(place: &str) -> Result<(&str, Option<Port>), DestinationError> {
    if place.parse::<IpAddr>().is_ok() {
        return Ok((place, None));
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
        return Err(DestinationError::NoHost);
    }
    let port = |text: &str| {
        text.parse()
            .map(Port)
            .map_err(|_| DestinationError::Port(text.to_owned()))
    };
    Ok((host, number.map(port).transpose()?))
}

impl FromStr for Destination {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, DestinationError> {
        let (name, text) = match text.split_once('@') {
            Some((name, rest)) => (Some(name), rest),
            None => (None, text),
        };
        let (host, service) = split(text)?;
        let not_an_address = |_| DestinationError::NotAnAddress(host.to_owned());
        let address = host.parse().map_err(not_an_address)?;
        let destination = Self::new(address, service);
        match name {
            Some(name) => destination.named(name),
            None => Ok(destination),
        }
    }
}

impl FromStr for Protocol {
    type Err = DestinationError;

    fn from_str(name: &str) -> Result<Self, DestinationError> {
        Ok(Self::Numbered(match name {
            "tcp" => Proto::TCP,
            "udp" => Proto::UDP,
            "sctp" => Proto::SCTP,
            "udplite" => Proto::UDPLITE,
            "icmp" => return Ok(Self::Icmp),
            number => Proto(
                number
                    .parse()
                    .map_err(|_| DestinationError::Proto(name.to_owned()))?,
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

impl Destination {
    /// What is asked of an address.
    #[must_use]
    pub fn new(address: IpAddr, service: Service) -> Self {
        Self {
            name: None,
            address,
            service,
        }
    }

    /// The same for an address that is taken to have this name.
    ///
    /// # Errors
    /// It cannot be a name in a DNS message.
    pub fn named(mut self, name: &str) -> Result<Self, DestinationError> {
        // Whether it is a name does not depend on the seed.
        if NameKey::of_text(name, &Seed([0; 2])).is_none() {
            return Err(DestinationError::NotAName(name.to_owned()));
        }
        self.name = Some(name.to_owned());
        Ok(self)
    }

    /// Names that the address is taken to have.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.name.as_deref().into_iter().collect()
    }

    /// The flow that goes there, of nobody yet.
    #[must_use]
    pub fn flow(&self) -> Flow {
        let dst = Addr::from(self.address);
        Flow {
            subject: CgroupId(0),
            dst,
            proto: self.service.proto.towards(dst),
            ports: self.service.ports,
            hook: Hook::Connect,
        }
    }
}

/// As [`Destination::from_str`] takes it.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{name}@")?;
        }
        match self.service.ports.port() {
            Some(port) => write!(f, "{}", SocketAddr::new(self.address, port.0))?,
            None => write!(f, "{}", self.address)?,
        }
        write!(f, "/{}", self.service.proto_name)
    }
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
            ("a.example@8.8.8.8", "a.example@8.8.8.8:443/tcp", Proto::TCP),
            (
                "a.example@[2001:db8::1]:53/udp",
                "a.example@[2001:db8::1]:53/udp",
                Proto::UDP,
            ),
        ];
        for (written, said, proto) in cases {
            let destination: Destination = written.parse().expect(written);
            let flow = destination.flow();
            assert_eq!(destination.to_string(), said, "{written}");
            assert_eq!(flow.proto, proto, "{written}");
            assert_eq!(flow.ports.port().is_some(), proto.has_ports(), "{written}");
            assert_eq!(said.parse(), Ok(destination), "{said}");
        }
    }

    #[test]
    fn what_is_no_destination() {
        let error = |text: &str| text.parse::<Destination>().expect_err(text);
        assert_eq!(error(":443"), DestinationError::NoHost);
        assert_eq!(
            error("a..example@8.8.8.8"),
            DestinationError::NotAName("a..example".into())
        );
        assert_eq!(
            error("a.example:443/tcp"),
            DestinationError::NotAnAddress("a.example".into())
        );
        assert_eq!(error("8.8.8.8:http"), DestinationError::Port("http".into()));
        assert_eq!(
            error("8.8.8.8:443/quic"),
            DestinationError::Proto("quic".into())
        );
        assert_eq!(
            error("8.8.8.8:443/icmp"),
            DestinationError::NoPorts("icmp".into())
        );
    }
}
