//! Addresses whose country the built-in database knows.

use std::{fmt, net::IpAddr};

use anyhow::bail;

use crate::instance::Instance;

/// Which side of the policy an address is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Inside,
    Outside,
}

impl Side {
    fn country(self) -> &'static str {
        match self {
            Self::Inside => "DE",
            Self::Outside => "US",
        }
    }

    /// As `explain` says it.
    pub(crate) fn verdict(self) -> &'static str {
        match self {
            Self::Inside => "allow",
            Self::Outside => "deny",
        }
    }
}

/// An address, and what the database says of it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) side: Side,
    pub(crate) address: IpAddr,
    holder: String,
}

/// One cloud on both sides, then others: a database may move any of them one day.
const CANDIDATES: [(Side, [&str; 3]); 4] = [
    (Side::Inside, ["3.64.0.1", "5.9.0.1", "88.198.0.1"]),
    (Side::Inside, ["2a05:d014::1", "2a01:4f8::1", "2001:638::1"]),
    (Side::Outside, ["3.80.0.1", "17.0.0.1", "128.2.42.10"]),
    (
        Side::Outside,
        ["2600:1f18::1", "2607:f140::1", "2620:0:e50::1"],
    ),
];

/// One address of each family on each side.
pub(crate) fn choose(instance: &Instance) -> anyhow::Result<Vec<Place>> {
    CANDIDATES
        .iter()
        .map(|(side, candidates)| first(instance, *side, candidates))
        .collect()
}

fn first(instance: &Instance, side: Side, candidates: &[&str]) -> anyhow::Result<Place> {
    for candidate in candidates {
        if let Some(place) = Place::ask(instance, side, candidate)? {
            return Ok(place);
        }
    }
    bail!(
        "the built-in database has none of {} in {}: name others in {}",
        candidates.join(", "),
        side.country(),
        file!()
    )
}

impl Place {
    /// Two letters.
    pub(crate) fn country(&self) -> &'static str {
        self.side.country()
    }

    /// `None` unless the address is in one place, and that is on the `side`.
    fn ask(instance: &Instance, side: Side, address: &str) -> anyhow::Result<Option<Self>> {
        let answer = instance.ask_json(&["geo", "lookup", address])?;
        let text = |name: &str| answer[name].as_str().unwrap_or_default();
        let fits = text("country") == side.country() && answer["anycast"] == false;
        let place = Self {
            side,
            address: address.parse()?,
            holder: format!("AS{} {}", answer["asn"], text("as_name")),
        };
        Ok(fits.then_some(place))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<14} {}  {}",
            self.address.to_string(),
            self.side.country(),
            self.holder
        )
    }
}
