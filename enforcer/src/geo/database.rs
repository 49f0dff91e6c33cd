//! Databases in memory.

use std::{path::PathBuf, time::SystemTime};

use super::location::Location;

/// Index into [`Database::locations`]. 0 is the unknown location.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocationId(pub u32);

/// One geo database, flattened: every address has exactly one range.
#[derive(Clone, Debug)]
pub struct Database {
    /// What it is.
    pub info: DatabaseInfo,
    /// Distinct locations; element 0 is `Location::default()`.
    pub locations: Vec<Location>,
    /// Starts of ranges, ascending; the first is 0, neighbours differ in location.
    pub v4: Vec<(u32, LocationId)>,
    /// The same for IPv6. The IPv4 addresses inside are not looked at.
    pub v6: Vec<(u128, LocationId)>,
}

/// What a database is, for people and for events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseInfo {
    /// Short name, as in events: the file name, or `built-in`.
    pub name: String,
    /// `None` for the built-in one.
    pub path: Option<PathBuf>,
    /// `database_type` of its metadata.
    pub database_type: String,
    /// When it was built.
    pub built: SystemTime,
    /// It has countries.
    pub has_countries: bool,
    /// It has ASNs.
    pub has_asns: bool,
    /// It marks anycast.
    pub has_anycast: bool,
    /// Licence and attribution as its licence wants it shown; empty when not known.
    pub attribution: String,
}

/// When several databases know the country of an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Agreement {
    /// The address is in a region only if all that know it say so.
    #[default]
    All,
    /// One suffices.
    Any,
}

/// The databases in use.
#[derive(Clone, Debug)]
pub struct GeoSet {
    /// At least one.
    pub databases: Vec<Database>,
    /// How they are combined.
    pub agreement: Agreement,
}
