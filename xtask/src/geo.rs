//! `cargo xtask geo`: the built-in database, from Debian's package of IPFire Location.
//!
//! The package comes through apt, which proves its signature; the conversion is a plain change of
//! format, so the result stays under the licence of the source (CC BY-SA 4.0), which is written
//! beside it.

mod convert;
mod location_db;
mod package;

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use lz4::block::CompressionMode;

use location_db::LocationDb;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Convert this libloc-database package instead of fetching the newest one of Debian sid
    #[arg(long, value_name = "FILE.deb")]
    package: Option<PathBuf>,
    /// Where the database, its licence and its attribution go
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../enforcer/assets/geo"))]
    output: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let package = match &args.package {
        Some(package) => package.clone(),
        None => package::fetch(scratch.path())?,
    };
    let content = package::unpack(&package, scratch.path())?;

    let source = LocationDb::parse(&content.database)
        .with_context(|| format!("{} holds a database in another format", package.display()))?;
    let mut mmdb = convert::to_mmdb(&source)?;
    convert::make_relative(&mut mmdb)?;
    let compressed = lz4::block::compress(&mmdb, Some(CompressionMode::HIGHCOMPRESSION(12)), true)?;

    fs::create_dir_all(&args.output)?;
    fs::write(args.output.join("location.mmdb.lz4"), &compressed)?;
    fs::write(args.output.join("LICENSE"), content.licence)?;
    let version = package
        .file_name()
        .map(|name| name.to_string_lossy().replace("%3a", ":"))
        .unwrap_or_default();
    fs::write(args.output.join("ATTRIBUTION"), attribution(&version))?;
    println!(
        "{version}: {} bytes as mmdb, {} compressed, in {}",
        mmdb.len(),
        compressed.len(),
        args.output.display()
    );
    Ok(())
}

fn attribution(package: &str) -> String {
    format!(
        "IPFire Location database, (c) IPFire Development Team <info@ipfire.org>,\n\
         https://www.ipfire.org/location, licensed under CC BY-SA 4.0,\n\
         https://creativecommons.org/licenses/by-sa/4.0/\n\
         Changed: converted from the Debian package {package} to the MaxMind DB format;\n\
         the flags for proxies, satellites and hostile networks are left out.\n"
    )
}
