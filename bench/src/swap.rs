//! One world database after the other, under traffic.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use enforcer::{
    compile::Image,
    geo::{Agreement, GeoSet},
};
use serde::{Deserialize, Serialize};

use crate::{own, own::Own, quartiles::Quartiles, stage::Stage, start};

/// What happened meanwhile.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Swap {
    /// Images put in force.
    pub(crate) swaps: usize,
    /// Datagrams sent meanwhile, most to destinations that both images permit, one of sixteen to one
    /// that both refuse.
    pub(crate) sends: u64,
    /// Of them refused, or let through, against both images.
    pub(crate) wrong: u64,
    /// Milliseconds to compile an image.
    pub(crate) compile_ms: Quartiles,
    /// Milliseconds to write it and to wait until nobody uses the old one.
    pub(crate) publish_ms: Quartiles,
    /// 99th percentile of a send while nothing is swapped, in nanoseconds.
    pub(crate) quiet_p99_ns: u64,
    /// The same while images are swapped.
    pub(crate) swapping_p99_ns: u64,
}

/// Swaps at least `swaps` times, and as long as it takes to send `sends` datagrams.
///
/// # Errors
/// The bench cannot be set up.
pub(crate) fn measure(stage: &mut Stage, (swaps, sends): (usize, u64)) -> Result<Swap> {
    let geo = &stage.geo;
    let (inside, outside) = stage.files("v4");
    let addresses = (&*inside, &*outside);
    let other = GeoSet {
        databases: vec![start::another(&geo.databases[0])],
        agreement: Agreement::All,
    };
    let mut compile_ms = Vec::new();
    let mut images: Vec<Image> = Vec::new();
    for geo in [geo, &other, geo, &other, geo] {
        let start = Instant::now();
        let image = own::image(&stage.policies, geo)?;
        compile_ms.push(start.elapsed().as_secs_f64() * 1000.0);
        images.truncate(1);
        images.push(image);
    }
    let mut own = Own::new("swap", &images[0])?;
    let place = stage.bed.place(&own.cgroup);

    let client = &mut stage.client;
    client.begin_flood(&place, addresses, sends / 10)?;
    let quiet = client.end_flood(addresses.1)?;
    let wrong = quiet.refused + quiet.leaked;
    ensure!(wrong == 0, "wrong before any swap: {quiet:?}");

    client.begin_flood(&place, addresses, sends)?;
    let mut publish_ms = Vec::new();
    // Without a pause, as long as there is traffic to meet.
    while publish_ms.len() < swaps || !client.has_sent_enough(addresses.1)? {
        let number = publish_ms.len();
        let image = &mut images[(number + 1) % 2];
        image.set_generation(number as u64 + 2);
        let start = Instant::now();
        own.enforcement.publish(image)?;
        publish_ms.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    let flooded = client.end_flood(addresses.1)?;
    client.rest()?;
    Ok(Swap {
        swaps: publish_ms.len(),
        sends: flooded.sent,
        wrong: flooded.refused + flooded.leaked,
        compile_ms: Quartiles::of(compile_ms).context("no image")?,
        publish_ms: Quartiles::of(publish_ms).context("no swap")?,
        quiet_p99_ns: quiet.p99_ns,
        swapping_p99_ns: flooded.p99_ns,
    })
}
