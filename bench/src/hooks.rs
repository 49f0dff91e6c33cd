//! Nanoseconds of each program, as the kernel counts them.
//!
//! The counting itself costs time, so an empty program at the same hook is measured the same way
//! and taken off.

use std::time::Duration;

use anyhow::{Context as _, Result};
use aya::{
    programs::loaded_programs,
    sys::{Stats, enable_stats},
};
use serde::{Deserialize, Serialize};

use crate::{
    client::{Client, Load},
    pairs::{Subject, batches},
};

/// One program under one load.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct HookTime {
    pub(crate) load: String,
    pub(crate) hook: String,
    /// Nanoseconds of a run.
    pub(crate) own_ns: f64,
    /// Nanoseconds of a run of the empty program.
    pub(crate) floor_ns: f64,
    /// Runs for each operation of the load.
    pub(crate) runs: f64,
}

/// A subject and its programs by hook.
pub(crate) struct Counted<'a> {
    pub(crate) subject: &'a Subject,
    /// Hook and program id.
    pub(crate) programs: Vec<(String, u32)>,
}

/// Median of several runs of each load.
///
/// # Errors
/// The kernel has no such statistics (5.8), or a run failed.
pub(crate) fn measure(
    client: &mut Client,
    own: &Counted<'_>,
    floor: &Counted<'_>,
    loads: &[(Load, &str)],
) -> Result<Vec<HookTime>> {
    let _counting = enable_stats(Stats::RunTime).context("count the run time of programs")?;
    let mut found = Vec::new();
    for &(load, name) in loads {
        let own = sample(client, own, load)?;
        let floor = sample(client, floor, load)?;
        for (hook, own_ns, runs) in own {
            let Some((_, floor_ns, _)) = floor.iter().find(|(floor, ..)| *floor == hook) else {
                continue;
            };
            found.push(HookTime {
                load: name.to_owned(),
                hook,
                own_ns,
                floor_ns: *floor_ns,
                runs,
            });
        }
    }
    Ok(found)
}

/// For each hook that ran: nanoseconds of a run, and runs for each operation.
fn sample(
    client: &mut Client,
    counted: &Counted<'_>,
    load: Load,
) -> Result<Vec<(String, f64, f64)>> {
    const SAMPLES: usize = 9;
    let Subject {
        place,
        destinations,
        ..
    } = counted.subject;
    let mut samples: Vec<Vec<f64>> = vec![vec![]; counted.programs.len()];
    let mut runs = vec![0; counted.programs.len()];
    let mut operations = 0;
    for _ in 0..SAMPLES {
        let before = counts(counted)?;
        operations += client
            .time(place, destinations, load, batches(load))?
            .operations;
        for (index, (time, count)) in counts(counted)?.into_iter().enumerate() {
            let count = count - before[index].1;
            runs[index] += count;
            if count > 0 {
                let spent = time - before[index].0;
                samples[index].push(spent.as_nanos() as f64 / count as f64);
            }
        }
    }
    let found = counted.programs.iter().zip(samples).zip(runs);
    let found = found.filter_map(|(((hook, _), mut times), runs)| {
        times.sort_unstable_by(f64::total_cmp);
        let median = *times.get(times.len() / 2)?;
        Some((hook.clone(), median, runs as f64 / operations as f64))
    });
    Ok(found.collect())
}

/// Time and runs of each program so far.
fn counts(counted: &Counted<'_>) -> Result<Vec<(Duration, u64)>> {
    let infos = loaded_programs().collect::<Result<Vec<_>, _>>()?;
    let of = |(hook, id): &(String, u32)| {
        let info = infos.iter().find(|info| info.id() == *id);
        let info = info.with_context(|| format!("program {hook} is gone"))?;
        Ok((info.run_time(), info.run_count()))
    };
    counted.programs.iter().map(of).collect()
}
