//! What the vendors call things. One record type covers all: a field that a layout does not have
//! is absent.
//!
//! | layout | country | ASN | anycast |
//! |---|---|---|---|
//! | GeoIP2, GeoLite2, DB-IP, the built-in one | `country.iso_code` | `autonomous_system_number`, also in `traits` | `traits.is_anycast` |
//! | IPinfo Lite | `country_code` | `asn` ("AS123") | |
//! | IPinfo before Lite | `country` ("DE") | `asn` | |
//! | flat (ip-location-db and others) | `country_code` | `autonomous_system_number` | |
//!
//! `registered_country` is not read: it is where the holder of a network is registered, which says
//! nothing about where the network is. MaxMind gives it alone where the place is not known, and
//! unknown is what such an address then is.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess, Visitor},
};

use crate::geo::{Asn, CountryCode, Location};

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Record<'a> {
    #[serde(borrow)]
    country: Country<'a>,
    country_code: Option<&'a str>,
    autonomous_system_number: Option<u32>,
    autonomous_system_organization: Option<&'a str>,
    #[serde(deserialize_with = "asn")]
    asn: Option<u32>,
    as_name: Option<&'a str>,
    #[serde(borrow)]
    traits: Traits<'a>,
    is_anycast: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Traits<'a> {
    is_anycast: bool,
    autonomous_system_number: Option<u32>,
    autonomous_system_organization: Option<&'a str>,
}

/// `country`: a map with a code, a code, or a name.
#[derive(Default)]
struct Country<'a>(Option<&'a str>);

impl Record<'_> {
    /// ASN 0 is reserved (RFC 7607) and vendors write it for "none".
    pub(super) fn location(&self) -> Location {
        let code = self.country.0.or(self.country_code);
        let number = self.autonomous_system_number;
        let asn = number.or(self.asn).or(self.traits.autonomous_system_number);
        Location {
            country: code
                .and_then(CountryCode::parse)
                .filter(|code| code.is_assigned()),
            asn: asn.filter(|&asn| asn != 0).map(Asn),
            anycast: self.traits.is_anycast || self.is_anycast,
        }
    }

    pub(super) fn as_name(&self) -> Option<&str> {
        self.autonomous_system_organization
            .or(self.as_name)
            .or(self.traits.autonomous_system_organization)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Country<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CountryVisitor)
    }
}

struct CountryVisitor;

impl<'de> Visitor<'de> for CountryVisitor {
    type Value = Country<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map with iso_code, or a text")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut code = None;
        while let Some(key) = map.next_key::<&str>()? {
            if key == "iso_code" {
                code = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Country(code))
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        // A name stands beside a `country_code`.
        Ok(Country((text.len() == 2).then_some(text)))
    }
}

/// `asn`: a number, or "AS123"; an empty text for none.
fn asn<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    deserializer.deserialize_any(AsnVisitor)
}

struct AsnVisitor;

impl Visitor<'_> for AsnVisitor {
    type Value = Option<u32>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or a text like AS64496")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        u32::try_from(number).map(Some).map_err(E::custom)
    }

    fn visit_u32<E: de::Error>(self, number: u32) -> Result<Self::Value, E> {
        Ok(Some(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        if text.is_empty() {
            return Ok(None);
        }
        let digits = text.strip_prefix("AS").unwrap_or(text);
        let wrong = |_| E::invalid_value(de::Unexpected::Str(text), &self);
        digits.parse().map(Some).map_err(wrong)
    }
}
