//! Where addresses are: databases, special-purpose ranges, agreement between databases.

mod attribution;
pub mod builtin;
mod database;
pub mod diff;
mod error;
pub(crate) mod flat;
mod location;
mod mmdb;
mod set;
pub mod special;

pub use database::{Database, DatabaseInfo, LocationId};
pub use error::GeoError;
pub use location::{Asn, CountryCode, CountrySet, Location};
pub use mmdb::AsNames;
pub use set::{Agreement, Answer, GeoSet, Located};
pub use special::SpecialRange;
