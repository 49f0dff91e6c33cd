//! The stages.

pub(crate) mod decide;
mod events;
mod geo;
mod names;
mod policies;

use anyhow::Result;
use enforcer::geo::{Agreement, GeoSet};

use crate::counted::Counted;

/// Every stage, with the world database.
///
/// # Errors
/// A stage fails.
pub(crate) fn all(counted: &mut Counted) -> Result<()> {
    let database = geo::read(counted)?;
    geo::lookup(counted, &database)?;
    let world = GeoSet {
        databases: vec![database],
        agreement: Agreement::All,
    };
    let policies = policies::check(counted)?;
    let image = policies::compile(counted, &policies, &world)?;
    decide::in_the_world(counted, &image)?;
    drop((image, world));
    decide::small(counted)?;
    names::read(counted)?;
    events::encode(counted)
}
