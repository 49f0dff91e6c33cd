//! `enforcer geo`: what the databases say.

mod diff;
mod info;
mod lookup;

use std::path::PathBuf;

use jiff::Timestamp;

use crate::geo::{Agreement, DatabaseInfo, GeoError, GeoSet};

pub use diff::{DiffArgs, diff};
pub use info::{InfoArgs, info};
pub use lookup::{LookupArgs, lookup};

/// Which databases are asked.
#[derive(clap::Args, Debug)]
struct Databases {
    /// Ask this MaxMind DB file (.mmdb) instead of the built-in database; repeat for several
    ///
    /// GeoIP2, GeoLite2 (Country, City, ASN), IPinfo, DB-IP and files with a plain country_code are
    /// understood by their content.
    #[arg(long, value_name = "FILE")]
    geo: Vec<PathBuf>,
}

impl Databases {
    fn open(&self) -> Result<GeoSet, GeoError> {
        GeoSet::open(&self.geo, Agreement::All)
    }
}

/// When a database was built, as RFC 3339 in UTC.
fn built(info: &DatabaseInfo) -> anyhow::Result<String> {
    let built = Timestamp::try_from(info.built)?;
    Ok(built.to_string())
}
