//! The database that is part of the program: IPFire Location as a MaxMind DB.
//!
//! `cargo xtask geo` makes it. Two things make it small and quick to unpack: LZ4, and a search tree
//! whose records say how far away a node is instead of which one it is.

use std::path::Path;

use maxminddb::Reader;

use super::{database::Database, error::GeoError, mmdb};

const ASSET: &[u8] = include_bytes!("../../assets/geo/location.mmdb.lz4");
const NAME: &str = "built-in";

/// Licence and attribution of the built-in database, as its licence (CC BY-SA 4.0) wants it shown.
pub const ATTRIBUTION: &str = include_str!("../../assets/geo/ATTRIBUTION");

/// Unpacks and reads the built-in database.
///
/// # Errors
/// The program file is damaged.
pub fn database() -> Result<Database, GeoError> {
    let mut database = mmdb::parse(&mmdb_bytes()?, Path::new(NAME))?;
    database.info.name = NAME.to_owned();
    database.info.attribution = ATTRIBUTION.to_owned();
    Ok(database)
}

/// The built-in database as a MaxMind DB file.
///
/// # Errors
/// The program file is damaged.
pub fn mmdb_bytes() -> Result<Vec<u8>, GeoError> {
    let mut bytes = lz4_flex::decompress_size_prepended(ASSET)
        .map_err(|source| GeoError::Builtin { source })?;
    let reader = Reader::from_source(&*bytes).map_err(|source| GeoError::NotMmdb {
        path: NAME.into(),
        source,
    })?;
    let nodes = reader.metadata().node_count;
    for (node, records) in (0..nodes).zip(bytes.chunks_exact_mut(8)) {
        for record in records.chunks_exact_mut(4) {
            let to = u32::from_be_bytes([record[0], record[1], record[2], record[3]]);
            if to < nodes {
                record.copy_from_slice(&to.wrapping_add(node).to_be_bytes());
            }
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
