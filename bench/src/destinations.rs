//! Networks of the world and addresses inside them.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use enforcer::{
    geo::{CountryCode, Database, LocationId, special},
    policy::Cidr,
};
use enforcer_common::abi::{Addr, EmbeddedV4, Family};
use fastrand::Rng;

/// Addresses of a list: more than caches hold.
const ADDRESSES: usize = 1 << 18;
/// Addresses outside: enough to see that they are refused.
const OUTSIDE: usize = 1 << 12;

/// Networks with a country, not overlapping: what the lists of all countries are together.
pub(crate) struct Networks(pub(crate) Vec<Cidr>);

impl Networks {
    /// Every IPv4 network whose country the database knows. Neighbours of one country are one.
    pub(crate) fn v4(database: &Database) -> Self {
        let starts = database.v4.iter().map(|&(start, id)| (start.into(), id));
        Self::of(database, starts, 32)
    }

    /// The same for IPv6.
    pub(crate) fn v6(database: &Database) -> Self {
        Self::of(database, database.v6.iter().copied(), 128)
    }

    fn of(
        database: &Database,
        starts: impl Iterator<Item = (u128, LocationId)>,
        width: u32,
    ) -> Self {
        let country = |LocationId(id)| database.locations[id as usize].country;
        let mut runs: Vec<(u128, Option<CountryCode>)> = Vec::new();
        for (start, id) in starts {
            let country = country(id);
            if runs.last().is_none_or(|&(_, last)| last != country) {
                runs.push((start, country));
            }
        }
        let last_address = u128::MAX >> (128 - width);
        let mut networks = Vec::new();
        for (index, &(first, country)) in runs.iter().enumerate() {
            if country.is_some() {
                let last = runs.get(index + 1).map_or(last_address, |next| next.0 - 1);
                split(first, last, width, &mut networks);
            }
        }
        Self(networks)
    }

    /// `count` of them, spread over all.
    pub(crate) fn sample(&self, count: usize) -> Self {
        let mut rng = Rng::with_seed(2);
        let mut chosen = rng.choose_multiple(self.0.iter(), count);
        chosen.sort_unstable();
        Self(chosen.into_iter().copied().collect())
    }

    /// Whether an address is in one of them.
    fn contain(&self, address: u128) -> bool {
        let after = self
            .0
            .partition_point(|network| network.bounds().0 <= address);
        after > 0 && self.0[after - 1].bounds().1 >= address
    }

    /// Writes ordinary addresses of the same family that are in none of them.
    ///
    /// # Errors
    /// The disk is full.
    pub(crate) fn write_outside(&self, path: &Path) -> Result<()> {
        let is_v4 = self.0.first().is_some_and(|network| network.is_v4());
        // Global unicast, where IPv6 is concerned.
        let whole = if is_v4 {
            0..1 << 32
        } else {
            1 << 125..1 << 126
        };
        let mut rng = Rng::with_seed(3);
        let mut bytes = Vec::new();
        while bytes.len() < OUTSIDE * 16 {
            let number = rng.u128(whole.clone());
            let address = addr(number, is_v4);
            if !self.contain(number) && is_ordinary(address) {
                bytes.extend(address.octets());
            }
        }
        fs::write(path, bytes).with_context(|| path.display().to_string())
    }

    /// Writes addresses for the client, drawn evenly over the networks.
    ///
    /// # Errors
    /// The disk is full.
    pub(crate) fn write_addresses(&self, path: &Path) -> Result<()> {
        let bytes = self.draw(ADDRESSES)?.concat();
        fs::write(path, bytes).with_context(|| path.display().to_string())
    }

    /// `count` addresses, drawn evenly over the networks: ordinary ones, which databases decide.
    ///
    /// # Errors
    /// The networks hold none.
    pub(crate) fn draw(&self, count: usize) -> Result<Vec<[u8; 16]>> {
        let mut rng = Rng::with_seed(1);
        let mut drawn = Vec::with_capacity(count);
        for _ in 0..count * 100 {
            let Some(network) = rng.choice(&self.0) else {
                break;
            };
            let (first, last) = network.bounds();
            let address = addr(rng.u128(first..=last), network.is_v4());
            if is_ordinary(address) {
                drawn.push(address.octets());
            }
            if drawn.len() == count {
                break;
            }
        }
        ensure!(
            drawn.len() == count,
            "the networks hold no ordinary address"
        );
        Ok(drawn)
    }
}

fn addr(number: u128, is_v4: bool) -> Addr {
    if is_v4 {
        Addr::from_v4((number as u32).to_be_bytes())
    } else {
        Addr::from_v6(number.to_be_bytes())
    }
}

fn is_ordinary(address: Addr) -> bool {
    let embeds = match address.family() {
        Family::V4(_) => false,
        Family::V6(hi, lo) => Addr::embedded(hi, lo) != EmbeddedV4::None,
    };
    special::of(address).is_none() && !embeds
}

/// A range as the fewest networks.
fn split(mut first: u128, last: u128, width: u32, networks: &mut Vec<Cidr>) {
    loop {
        let aligned = first.trailing_zeros().min(width);
        // A whole IPv6 world is more than a number holds: at most half of it is one network.
        let fitting = (last - first).checked_add(1).map_or(127, u128::ilog2);
        let host_bits = aligned.min(fitting);
        let length = (width - host_bits) as u8;
        networks.extend(Cidr::new(addr(first, width == 32), length));
        let taken = 1_u128 << host_bits;
        match first.checked_add(taken) {
            Some(next) if next <= last => first = next,
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Networks, addr, split};

    fn networks(first: u128, last: u128, width: u32) -> Vec<String> {
        let mut networks = Vec::new();
        split(first, last, width, &mut networks);
        networks.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_range_becomes_the_fewest_networks() {
        assert_eq!(networks(0, 0xffff_ffff, 32), ["0.0.0.0/0"]);
        assert_eq!(networks(0x0a00_0000, 0x0aff_ffff, 32), ["10.0.0.0/8"]);
        let odd = ["10.0.0.1/32", "10.0.0.2/31", "10.0.0.4/32"];
        assert_eq!(networks(0x0a00_0001, 0x0a00_0004, 32), odd);
        assert_eq!(
            networks(0xffff_ffff, 0xffff_ffff, 32),
            ["255.255.255.255/32"]
        );
        assert_eq!(networks(0, u128::MAX, 128), ["::/1", "8000::/1"]);
        assert_eq!(networks(u128::MAX, u128::MAX, 128).len(), 1);
    }

    #[test]
    fn addresses_lie_in_the_networks() {
        let mut of_one = Vec::new();
        split(0x0808_0800, 0x0808_08ff, 32, &mut of_one);
        let drawn = Networks(of_one).draw(100).unwrap();
        let expected = addr(0x0808_0800, true).octets();
        assert!(drawn.iter().all(|octets| octets[..15] == expected[..15]));
    }

    #[test]
    fn the_bounds_of_a_network_are_in_it() {
        let mut of_one = Vec::new();
        split(0x0808_0800, 0x0808_08ff, 32, &mut of_one);
        let networks = Networks(of_one);
        let inside = [0x0808_07ff, 0x0808_0800, 0x0808_08ff, 0x0808_0900];
        let inside = inside.map(|address| networks.contain(address));
        assert_eq!(inside, [false, true, true, false]);
    }

    #[test]
    fn special_networks_have_no_ordinary_address() {
        let mut private = Vec::new();
        split(0x0a00_0000, 0x0aff_ffff, 32, &mut private);
        assert!(Networks(private).draw(1).is_err());
    }
}
