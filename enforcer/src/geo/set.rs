//! Several databases as one: who is asked, and what counts when they disagree.

mod places;

use std::{panic::resume_unwind, path::PathBuf, thread, time::SystemTime};

use enforcer_common::abi::{Addr, EmbeddedV4, Family};

use super::{
    builtin,
    database::{Database, DatabaseInfo},
    error::GeoError,
    location::{Asn, CountryCode, CountrySet, Location},
    special::{self, SpecialRange},
};

/// When several databases know the country of an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Agreement {
    /// The address is in a region only if all that know it say so.
    #[default]
    All,
    /// One suffices.
    Any,
}

/// The databases in use. Without any, addresses have nothing but their special-purpose ranges.
#[derive(Clone, Debug, Default)]
pub struct GeoSet {
    /// In the order in which they were given.
    pub databases: Vec<Database>,
    /// How they are combined.
    pub agreement: Agreement,
}

/// What is known of one address.
#[derive(Clone, Debug)]
pub struct Located<'a> {
    /// The address that was looked up: the IPv4 address for one that is embedded in IPv6.
    pub judged: Addr,
    /// A second address that the packet may end at and that must be permitted too: that of an
    /// ISATAP address on a routable prefix, as IPv6.
    pub also: Option<Addr>,
    /// Its special-purpose range. Such an address is in no region, whatever the databases say.
    pub special: Option<SpecialRange>,
    /// What each database says, in the order of [`GeoSet::databases`].
    pub answers: Vec<Answer<'a>>,
    /// The country by the first database that knows one; `None` if no database does.
    pub country: Option<CountryCode>,
    /// Whether all databases that know a country know the same.
    pub countries_agree: bool,
    /// The ASN by the first database that knows one.
    pub asn: Option<Asn>,
    /// The name of that ASN by the first database that has one.
    pub as_name: Option<&'a str>,
    /// Any database marks it anycast.
    pub anycast: bool,
}

/// What one database says of an address.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The database.
    pub database: &'a DatabaseInfo,
    /// Its answer.
    pub location: Location,
}

impl GeoSet {
    /// Reads the given databases side by side, or the built-in one if there are none.
    ///
    /// # Errors
    /// The first file, in the given order, that cannot be used.
    pub fn open(paths: &[PathBuf], agreement: Agreement) -> Result<Self, GeoError> {
        let databases = if paths.is_empty() {
            vec![builtin::database()?]
        } else {
            open_all(paths)?
        };
        Ok(Self {
            databases,
            agreement,
        })
    }

    /// What is known of `address`, with an embedded IPv4 address unwrapped by the well-known forms.
    ///
    /// The operator's own NAT64 prefixes are not known here: unwrap them before.
    #[must_use]
    pub fn locate(&self, address: Addr) -> Located<'_> {
        let (judged, also) = judged(address);
        Located {
            also,
            ..self.locate_as_written(judged)
        }
    }

    /// What is known of `address` as it is written.
    #[must_use]
    pub fn locate_as_written(&self, address: Addr) -> Located<'_> {
        let answers: Vec<_> = self
            .databases
            .iter()
            .map(|database| Answer {
                database: &database.info,
                location: database.location(address.family()),
            })
            .collect();
        let mut countries = answers.iter().filter_map(|answer| answer.location.country);
        let country = countries.next();
        let countries_agree = countries.all(|other| Some(other) == country);
        let asn = answers.iter().find_map(|answer| answer.location.asn);
        let name = |asn| self.databases.iter().find_map(|db| db.as_names.get(asn));
        Located {
            judged: address,
            also: None,
            special: special::of(address),
            country,
            countries_agree,
            asn,
            as_name: asn.and_then(name),
            anycast: answers.iter().any(|answer| answer.location.anycast),
            answers,
        }
    }

    /// Where, after `first` and up to `last` of the same family, a database begins to say
    /// something else, or a special-purpose range begins or ends. In no order, with repetitions.
    #[must_use]
    pub fn starts_between(&self, first: Addr, last: Addr) -> Vec<Addr> {
        match (first.family(), last.family()) {
            (Family::V4(first), Family::V4(last)) => {
                let lists = self.databases.iter().map(|database| &*database.v4);
                let mut starts: Vec<u32> =
                    lists.flat_map(|list| between(list, first, last)).collect();
                starts.extend(between(special::flat_v4(), first, last));
                let addr = |start: u32| Addr::from_v4(start.to_be_bytes());
                starts.into_iter().map(addr).collect()
            }
            _ => {
                let number = |addr: Addr| u128::from_be_bytes(addr.octets());
                let (first, last) = (number(first), number(last));
                let lists = self.databases.iter().map(|database| &*database.v6);
                let mut starts: Vec<u128> =
                    lists.flat_map(|list| between(list, first, last)).collect();
                starts.extend(between(special::flat_v6(), first, last));
                let addr = |start: u128| Addr::from_v6(start.to_be_bytes());
                starts.into_iter().map(addr).collect()
            }
        }
    }

    /// Whether an address is in a set of countries, by what each database says of it.
    ///
    /// The one place where agreement between databases is defined:
    /// * An address that any database marks anycast is in no set, unless `anycast_allowed`.
    /// * A database that does not know the country has no say; if none knows it, the address is in
    ///   no set.
    /// * [`Agreement::All`]: every database that knows it puts it into the set; they need not name
    ///   the same country. [`Agreement::Any`]: one does.
    ///
    /// Special-purpose ranges are in no set either, but that is not for databases to say: ask
    /// [`special::of`] first.
    #[must_use]
    pub fn in_countries(
        locations: &[Location],
        countries: &CountrySet,
        anycast_allowed: bool,
        agreement: Agreement,
    ) -> bool {
        if !anycast_allowed && locations.iter().any(|location| location.anycast) {
            return false;
        }
        let mut votes = locations
            .iter()
            .filter_map(|location| location.country)
            .map(|country| countries.contains(country))
            .peekable();
        match agreement {
            Agreement::All => votes.peek().is_some() && votes.all(|inside| inside),
            Agreement::Any => votes.any(|inside| inside),
        }
    }

    /// What the operator should know about the databases: one sentence each.
    #[must_use]
    pub fn warnings(&self, now: SystemTime) -> Vec<String> {
        let old = self.databases.iter().filter(|db| db.info.is_old(now));
        let mut warnings: Vec<_> = old
            .map(|db| {
                let days = db.info.age(now).as_secs() / (24 * 60 * 60);
                format!(
                    "geo database {} is {days} days old; load a newer one with --geo",
                    db.info.name
                )
            })
            .collect();
        if !self.databases.iter().any(|db| db.info.has_countries) {
            warnings.push(
                "no geo database has countries, so every address is outside every region; \
                 add one with --geo"
                    .to_owned(),
            );
        }
        warnings
    }
}

/// The starts in `(first, last]`.
fn between<K: Copy + Ord, V>(ranges: &[(K, V)], first: K, last: K) -> impl Iterator<Item = K> {
    let from = ranges.partition_point(|&(start, _)| start <= first);
    let to = ranges.partition_point(|&(start, _)| start <= last);
    ranges[from..to.max(from)].iter().map(|&(start, _)| start)
}

fn open_all(paths: &[PathBuf]) -> Result<Vec<Database>, GeoError> {
    thread::scope(|scope| {
        let threads: Vec<_> = paths
            .iter()
            .map(|path| scope.spawn(move || Database::open(path)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    })
}

/// As the verdict does it, see [`EmbeddedV4`].
fn judged(address: Addr) -> (Addr, Option<Addr>) {
    let v4 = |v4: u32| Addr::from_v4(v4.to_be_bytes());
    match address.family() {
        Family::V4(_) => (address, None),
        Family::V6(hi, lo) => match Addr::embedded(hi, lo) {
            EmbeddedV4::None => (address, None),
            EmbeddedV4::Only(inner) => (v4(inner), None),
            EmbeddedV4::Also(inner) => (v4(inner), Some(address)),
        },
    }
}

#[cfg(test)]
mod tests;
