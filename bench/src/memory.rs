//! Kernel memory of the tables.

use anyhow::{Context as _, Result};
use enforcer::{
    compile::{Image, Input, compile},
    geo::GeoSet,
    policy::Policy,
};
use enforcer_common::abi::{CgroupId, ClassId, Tag};
use serde::{Deserialize, Serialize};

use crate::own::Own;

const POLICIES: usize = 100;
const WORKLOADS: usize = 1000;

/// What the kernel holds for a world, 100 policies and 1000 workloads.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Memory {
    pub(crate) policies: usize,
    /// Each in a class of its own.
    pub(crate) workloads: usize,
    pub(crate) maps: Vec<MapBytes>,
}

/// One map, as the kernel accounts it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct MapBytes {
    pub(crate) name: String,
    pub(crate) bytes: u64,
}

impl Memory {
    /// All maps.
    pub(crate) fn bytes(&self) -> u64 {
        self.maps.iter().map(|map| map.bytes).sum()
    }

    /// Sets it up and reads it.
    ///
    /// # Errors
    /// The kernel refuses.
    pub(crate) fn measure(policies: &[Policy], geo: &GeoSet) -> Result<Self> {
        let policies = policies.get(..POLICIES).context("too few policies")?;
        let mut own = Own::new("memory", &image(policies, geo)?)?;
        for workload in 0..WORKLOADS {
            // No cgroup has such an id: only the room it takes is of interest.
            let id = CgroupId(u64::MAX - workload as u64);
            own.enforcement
                .tag(id, Tag::judged(ClassId(workload as u16)))?;
        }
        let maps = own.enforcement.memory()?.into_iter();
        let maps = maps.map(|map| MapBytes {
            name: map.name.to_owned(),
            bytes: map.bytes,
        });
        Ok(Self {
            policies: POLICIES,
            workloads: WORKLOADS,
            maps: maps.collect(),
        })
    }
}

/// A class for each pair of policies, until there are enough.
fn image(policies: &[Policy], geo: &GeoSet) -> Result<Image> {
    let pairs = (0..policies.len()).flat_map(|a| (a + 1..policies.len()).map(move |b| vec![a, b]));
    let classes: Vec<Vec<usize>> = pairs.take(WORKLOADS).collect();
    Ok(compile(&Input::of(policies, &classes, geo))?)
}
