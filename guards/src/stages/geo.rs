//! Databases.

use std::hint::black_box;

use anyhow::Result;
use enforcer::geo::{Agreement, Database, GeoSet, builtin};

use super::decide;
use crate::counted::Counted;

/// The built-in database, from its bytes.
pub(super) fn read(counted: &mut Counted) -> Result<Database> {
    let mut read = None;
    counted.stage("geo-read", 1, || {
        read = Some(builtin::database()?);
        Ok(())
    })?;
    read.ok_or_else(|| anyhow::anyhow!("it was not read"))
}

/// What a database says of one address.
pub(super) fn lookup(counted: &mut Counted, database: &Database) -> Result<()> {
    const LOOKUPS: usize = 4096;
    let addresses = decide::addresses(LOOKUPS);
    let set = GeoSet {
        databases: vec![database.clone()],
        agreement: Agreement::All,
    };
    counted.stage("geo-lookup", LOOKUPS, || {
        for &address in &addresses {
            black_box(set.locate(black_box(address)));
        }
        Ok(())
    })
}
