//! `--to`: an address, or a name that this host looks up.

use std::{
    net::{IpAddr, ToSocketAddrs as _},
    str::FromStr,
};

use anyhow::Context as _;

use crate::daemon::explain::{Destination, DestinationError, Service, split};

/// `ADDR|NAME[:PORT[/PROTO]]` or `ADDR|NAME/PROTO`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    host: Host,
    service: Service,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Address(IpAddr),
    Name(String),
}

impl FromStr for Target {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, DestinationError> {
        let (host, service) = split(text)?;
        let host = host
            .parse()
            .map_or_else(|_| Host::Name(host.to_owned()), Host::Address);
        Ok(Self { host, service })
    }
}

impl Target {
    pub(super) fn is_name(&self) -> bool {
        matches!(self.host, Host::Name(_))
    }

    /// One destination for each address; a name is looked up as this host does it.
    pub(super) fn destinations(&self) -> anyhow::Result<Vec<Destination>> {
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
            .map(|address| Destination::new(address, self.service.clone()))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_up_and_an_address_is_not() {
        let name: Target = "a.example:53/udp".parse().expect("a name");
        assert_eq!(name.host, Host::Name("a.example".into()));
        let address: Target = "[2001:db8::1]:53/udp".parse().expect("an address");
        let destinations = address.destinations().expect("no lookup");
        let destinations: Vec<_> = destinations.iter().map(ToString::to_string).collect();
        assert_eq!(destinations, ["[2001:db8::1]:53/udp"]);
    }
}
