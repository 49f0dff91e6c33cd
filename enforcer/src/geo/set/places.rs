//! Where many addresses are, in few words.

use std::collections::HashMap;

use enforcer_common::abi::Family;

use super::GeoSet;
use crate::geo::{CountryCode, SpecialRange, diff::AddressRange};

impl GeoSet {
    /// Where the addresses of `ranges` are: ISO 3166-1 codes, `ZZ` and names of special-purpose
    /// ranges, the most addresses first.
    #[must_use]
    pub fn places(&self, ranges: &[AddressRange]) -> Vec<String> {
        let mut weights: HashMap<(Option<SpecialRange>, Option<CountryCode>), u128> =
            HashMap::new();
        for piece in ranges.iter().flat_map(|range| self.pieces(range)) {
            let located = self.locate(piece.first);
            *weights
                .entry((located.special, located.country))
                .or_default() += weight(&piece);
        }
        let mut ranked: HashMap<String, u128> = HashMap::new();
        for ((special, country), weight) in weights {
            let name = match (special, country) {
                (Some(range), _) => range.as_str().to_owned(),
                (None, Some(country)) => country.to_string(),
                (None, None) => "ZZ".to_owned(),
            };
            *ranked.entry(name).or_default() += weight;
        }
        let mut ranked: Vec<(String, u128)> = ranked.into_iter().collect();
        ranked.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        ranked.into_iter().map(|(place, _)| place).collect()
    }

    /// Parts of which every database says one thing.
    fn pieces(&self, range: &AddressRange) -> Vec<AddressRange> {
        let mut starts = self.starts_between(range.first, range.last);
        starts.push(range.first);
        range.cut(starts)
    }
}

/// A country with one IPv6 network of 32 bits is no larger than all of IPv4.
fn weight(piece: &AddressRange) -> u128 {
    match piece.first.family() {
        Family::V4(_) => piece.addresses(),
        Family::V6(..) => piece.addresses() >> 96,
    }
}
