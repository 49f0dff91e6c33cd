//! Databases in memory.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use enforcer_common::abi::Family;

use super::{
    error::GeoError,
    location::Location,
    mmdb::{self, AsNames},
};

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
    /// Names of autonomous systems, for people and for events.
    pub as_names: AsNames,
}

impl Database {
    /// Reads a MaxMind DB file of any vendor.
    ///
    /// # Errors
    /// The file is unreadable, not a complete MaxMind DB, or has no field that says where an
    /// address is. The message names the file.
    pub fn open(path: &Path) -> Result<Self, GeoError> {
        mmdb::read(path)
    }

    /// How many ranges it has, of IPv4 and of IPv6.
    #[must_use]
    pub fn ranges(&self) -> (usize, usize) {
        (self.v4.len(), self.v6.len())
    }

    /// What it says of an address, which is looked up as what it is written as.
    #[must_use]
    pub fn location(&self, address: Family) -> Location {
        let id = match address {
            Family::V4(v4) => at(&self.v4, v4),
            Family::V6(hi, lo) => at(&self.v6, u128::from(hi) << 64 | u128::from(lo)),
        };
        let known = id.and_then(|LocationId(index)| self.locations.get(index as usize));
        known.copied().unwrap_or_default()
    }
}

fn at<T: Copy + Ord>(ranges: &[(T, LocationId)], address: T) -> Option<LocationId> {
    let after = ranges.partition_point(|&(start, _)| start <= address);
    Some(ranges.get(after.checked_sub(1)?)?.1)
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

impl DatabaseInfo {
    /// A database older than this is a warning: networks move.
    pub const MAX_AGE: Duration = Duration::from_secs(45 * 24 * 60 * 60);

    /// Time since it was built; zero if that lies in the future.
    #[must_use]
    pub fn age(&self, now: SystemTime) -> Duration {
        now.duration_since(self.built).unwrap_or_default()
    }

    /// Whether it is older than [`MAX_AGE`](Self::MAX_AGE).
    #[must_use]
    pub fn is_old(&self, now: SystemTime) -> bool {
        self.age(now) > Self::MAX_AGE
    }
}
