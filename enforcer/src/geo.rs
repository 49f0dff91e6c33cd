//! Where addresses are: databases, special-purpose ranges, agreement between databases.

mod database;
mod location;
pub mod special;

pub use database::{Agreement, Database, DatabaseInfo, GeoSet, LocationId};
pub use location::{Asn, CountryCode, CountrySet, Location};
pub use special::SpecialRange;
