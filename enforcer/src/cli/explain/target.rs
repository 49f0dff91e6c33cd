//! `--to`: an address, with a name that it is taken to have, or a name that this host looks up.

use std::{
    net::{IpAddr, ToSocketAddrs as _},
    str::FromStr,
};

use anyhow::Context as _;

use crate::daemon::explain::{Destination, DestinationError, Service, split};

/// `ADDR|NAME|NAME@ADDR[:PORT[/PROTO]]`, or the same with `/PROTO` alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Address(Destination),
    Name(String, Service),
}

impl FromStr for Target {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, DestinationError> {
        match text.parse() {
            Err(DestinationError::NotAnAddress(_)) if !text.contains('@') => {
                let (name, service) = split(text)?;
                Ok(Self::Name(name.to_owned(), service))
            }
            parsed => parsed.map(Self::Address),
        }
    }
}

impl Target {
    pub(super) fn is_name(&self) -> bool {
        matches!(self, Self::Name(..))
    }

    /// One destination for each address; a name is looked up as this host does it, and is then the
    /// name of each.
    pub(super) fn destinations(&self) -> anyhow::Result<Vec<Destination>> {
        let (name, service) = match self {
            Self::Address(destination) => return Ok(vec![destination.clone()]),
            Self::Name(name, service) => (name, service),
        };
        let found = (name.as_str(), 0).to_socket_addrs();
        let found = found.with_context(|| {
            format!("look up {name}: give an address, as in {name}@192.0.2.1:443/tcp")
        })?;
        let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
        addresses.dedup();
        addresses
            .into_iter()
            .map(|address| Ok(Destination::new(address, service.clone()).named(name)?))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_up_and_an_address_is_not() {
        let name: Target = "a.example:53/udp".parse().expect("a name");
        assert!(matches!(name, Target::Name(name, _) if name == "a.example"));
        let address: Target = "[2001:db8::1]:53/udp".parse().expect("an address");
        let destinations = address.destinations().expect("no lookup");
        let named: Target = "a.example@192.0.2.1".parse().expect("both");
        assert!(!named.is_name());
        let destinations: Vec<_> = destinations.iter().map(ToString::to_string).collect();
        assert_eq!(destinations, ["[2001:db8::1]:53/udp"]);
    }
}
