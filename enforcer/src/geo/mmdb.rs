//! Reads MaxMind DB files of any vendor into flat ranges.

mod layout;
mod names;
mod records;
mod tree;

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, Ipv6Addr},
    path::Path,
};

use maxminddb::{MaxMindDbError, Reader};
use serde::de::IgnoredAny;

use super::{
    attribution,
    database::{Database, DatabaseInfo},
    error::GeoError,
};
use records::Records;
use tree::Tree;

pub use names::AsNames;

/// Reads the database in a file.
///
/// # Errors
/// The file is unreadable, not a complete MaxMind DB, or has no field that says where an address is.
pub(super) fn read(path: &Path) -> Result<Database, GeoError> {
    let bytes = fs::read(path).map_err(|source| GeoError::Read {
        path: path.to_owned(),
        source,
    })?;
    let name = path.file_name().unwrap_or(path.as_os_str());
    let mut database = parse(&bytes, path)?;
    database.info.name = name.to_string_lossy().into_owned();
    database.info.path = Some(path.to_owned());
    Ok(database)
}

/// Reads a database in memory; `path` is for errors, and [`DatabaseInfo::name`] is left to the
/// caller.
pub(super) fn parse(bytes: &[u8], path: &Path) -> Result<Database, GeoError> {
    let not_mmdb = |source| GeoError::NotMmdb {
        path: path.to_owned(),
        source,
    };
    let damaged = |source| GeoError::Damaged {
        path: path.to_owned(),
        source,
    };
    let reader = Reader::from_source(bytes).map_err(not_mmdb)?;
    let metadata = reader.metadata();
    let built = metadata.build_time().map_err(not_mmdb)?;

    let tree = Tree::new(bytes, metadata).map_err(damaged)?;
    let (v4, v6) = tree.walk().map_err(damaged)?;
    let mut records = Records::new(path, &reader);
    let v4 = records.locate::<_, Ipv4Addr>(v4)?;
    let v6 = records.locate::<_, Ipv6Addr>(v6)?;
    let (locations, as_names) = records.finish();

    let info = DatabaseInfo {
        name: String::new(),
        path: None,
        database_type: metadata.database_type.clone(),
        built,
        has_countries: locations.iter().any(|location| location.country.is_some()),
        has_asns: locations.iter().any(|location| location.asn.is_some()),
        has_anycast: locations.iter().any(|location| location.anycast),
        attribution: attribution::of_type(&metadata.database_type).to_owned(),
    };
    if !(info.has_countries || info.has_asns || info.has_anycast) {
        return Err(says_nothing(&reader, path).unwrap_or_else(damaged));
    }
    Ok(Database {
        info,
        locations,
        v4,
        v6,
        as_names,
    })
}

fn says_nothing(reader: &Reader<&[u8]>, path: &Path) -> Result<GeoError, MaxMindDbError> {
    let (path, database_type) = (path.to_owned(), reader.metadata().database_type.clone());
    let Some(first) = reader.networks(Default::default())?.next() else {
        return Ok(GeoError::Empty {
            path,
            database_type,
        });
    };
    let fields: Option<BTreeMap<String, IgnoredAny>> = first?.decode()?;
    Ok(GeoError::UnknownLayout {
        path,
        database_type,
        fields: fields.unwrap_or_default().into_keys().collect(),
    })
}

#[cfg(test)]
mod tests;
