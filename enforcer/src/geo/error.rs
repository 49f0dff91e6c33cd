//! What can be wrong with a database.

use std::{net::IpAddr, path::PathBuf};

use maxminddb::MaxMindDbError;

/// A database that cannot be used, with the file it is about. What exactly the reader stumbled over is
/// the source of the error.
#[derive(Debug, thiserror::Error)]
pub enum GeoError {
    /// The file cannot be read.
    #[error("{}: cannot read the geo database", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file has no readable metadata.
    #[error(
        "{}: not a MaxMind DB file (.mmdb), or cut off at its end", path.display()
    )]
    NotMmdb {
        /// The file.
        path: PathBuf,
        /// What the reader stumbled over.
        source: MaxMindDbError,
    },
    /// The search tree or the data section contradicts the metadata.
    #[error(
        "{}: the geo database is damaged; fetch it again", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the reader stumbled over.
        source: MaxMindDbError,
    },
    /// A known field holds something else than it does in any known layout.
    #[error("{}: cannot understand the record of {address}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// The first address that has the record.
        address: IpAddr,
        /// Field and type.
        source: MaxMindDbError,
    },
    /// No record says a country, an ASN or anycast.
    #[error(
        "{}: no country and no ASN in this database of type {database_type}; its fields are: {}; \
         known are country.iso_code, country_code, country, autonomous_system_number, asn and \
         traits.is_anycast", path.display(), fields.join(", ")
    )]
    UnknownLayout {
        /// The file.
        path: PathBuf,
        /// `database_type` of its metadata.
        database_type: String,
        /// Top-level fields of its first record.
        fields: Vec<String>,
    },
    /// No network at all.
    #[error("{}: the geo database of type {database_type} has no networks", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// `database_type` of its metadata.
        database_type: String,
    },
    /// The database inside this program is damaged: the program itself is.
    #[error("the built-in geo database is damaged; install enforcer again")]
    Builtin {
        /// What the decompressor stumbled over.
        source: lz4_flex::block::DecompressError,
    },
}
