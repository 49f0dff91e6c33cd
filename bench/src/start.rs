//! From nothing to enforcing.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use enforcer::{
    geo::{Agreement, Database, GeoSet, LocationId, builtin},
    kernel::{Build, Enforcement, Object, PinDir},
    policy::Policy,
};
use enforcer_common::abi::{Addr, ClassId, Tag};
use enforcer_tests::lab::{self, Cgroup};
use mmdb_writer::{Ipv4Aliasing, RecordSize, Value, Writer, ipnet::IpNet};
use serde::{Deserialize, Serialize};

use crate::{destinations::Networks, names, own, quartiles::Quartiles, stage::Stage};

/// The row that has a goal.
pub(crate) const TWO_DATABASES: &str = "two world databases from files";

/// Milliseconds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ColdStart {
    /// `enforcer exec -- true`, from start to end, by what it is started with.
    pub(crate) exec: Vec<(String, Quartiles)>,
    /// The stages in one process.
    pub(crate) stages: Vec<(String, Quartiles)>,
}

impl ColdStart {
    /// From two files to tables in force, the programs being there: milliseconds.
    pub(crate) fn load_ms(&self) -> f64 {
        let stages = self.stages.iter();
        let of_files = stages.filter(|(name, _)| name.contains("two databases"));
        of_files.map(|(_, ms)| ms.median).sum()
    }
}

/// Measures both.
///
/// # Errors
/// `enforcer` is not built, or a stage fails.
pub(crate) fn measure(stage: &Stage, times: usize) -> Result<ColdStart> {
    let databases = two_databases(stage.directory.path())?;
    let exec = |name: &str, option: &str, paths: &[PathBuf]| {
        let times = repeat(times, || exec_true(option, paths))?;
        anyhow::Ok((name.to_owned(), times))
    };
    let named = |count| Ok::<_, anyhow::Error>([names::write_policy(stage, count)?]);
    let mut found = ColdStart {
        exec: vec![
            exec("built-in database", "--geo", &[])?,
            exec(TWO_DATABASES, "--geo", &databases)?,
            exec("a policy with 10 names", "--policy", &named(10)?)?,
            exec("a policy with 10,000 names", "--policy", &named(10_000)?)?,
        ],
        stages: Vec::new(),
    };
    let mut runs: Vec<Vec<(&str, f64)>> = Vec::new();
    for _ in 0..times {
        runs.push(stages(&stage.policies, &databases)?);
    }
    for stage in 0..runs[0].len() {
        let times = runs.iter().map(|run| run[stage].1).collect();
        let times = Quartiles::of(times).context("no run")?;
        found.stages.push((runs[0][stage].0.to_owned(), times));
    }
    Ok(found)
}

fn repeat(times: usize, mut one: impl FnMut() -> Result<f64>) -> Result<Quartiles> {
    let times = (0..times).map(|_| one()).collect::<Result<_>>()?;
    Quartiles::of(times).context("no run")
}

fn exec_true(option: &str, paths: &[PathBuf]) -> Result<f64> {
    let mut command = Command::new(lab::binary("enforcer")?);
    command.arg("exec");
    for path in paths {
        command.arg(option).arg(path);
    }
    command.args(["--", "true"]).stdin(Stdio::null());
    let start = Instant::now();
    let output = command.output().context("start enforcer")?;
    let elapsed = ms(start);
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "enforcer exec: {said}");
    Ok(elapsed)
}

fn stages(policies: &[Policy], databases: &[PathBuf]) -> Result<Vec<(&'static str, f64)>> {
    let mut stages = Vec::new();
    let mut start = Instant::now();
    let mut stage = |name| {
        stages.push((name, ms(start)));
        start = Instant::now();
    };
    let built_in = GeoSet::open(&[], Agreement::All)?;
    stage("read the built-in database");
    let image = own::image(policies, &built_in)?;
    drop(built_in);
    stage("compile, built-in database");
    let two = GeoSet::open(databases, Agreement::All)?;
    stage("read two databases");
    let image_of_two = own::image(policies, &two)?;
    drop(two);
    stage("compile, two databases");
    let dir = PinDir::of_instance(&format!("bench-{}-start", std::process::id()));
    let pins = Pins(dir.clone());
    let mut enforcement = Enforcement::create(dir, Object::load(Build::Plain)?)?;
    stage("load the programs");
    enforcement.publish(&image)?;
    stage("publish");
    enforcement.publish(&image_of_two)?;
    stage("publish, two databases");
    let cgroup = Cgroup::new("start")?;
    enforcement.tag(cgroup.id()?, Tag::judged(ClassId(0)))?;
    enforcement.attach(cgroup.path())?;
    stage("tag and attach");
    drop(pins);
    Ok(stages)
}

/// Removes the pins on drop.
struct Pins(PinDir);

impl Drop for Pins {
    fn drop(&mut self) {
        if let Err(error) = self.0.remove() {
            eprintln!("cannot remove the pins: {error}");
        }
    }
}

fn ms(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1000.0
}

/// The built-in database as a file, and a second one of countries alone in which one range of a
/// hundred lies elsewhere, as real databases differ.
fn two_databases(directory: &Path) -> Result<Vec<PathBuf>> {
    let first = directory.join("first.mmdb");
    let second = directory.join("second.mmdb");
    fs::write(&first, builtin::mmdb_bytes()?)?;
    fs::write(&second, countries_alone(&another(&builtin::database()?))?)?;
    Ok(vec![first, second])
}

/// A database that differs from `database` in one range of a hundred.
pub(crate) fn another(database: &Database) -> Database {
    let mut other = database.clone();
    let has_country = |&id: &u32| database.locations[id as usize].country.is_some();
    let known: Vec<u32> = (0..database.locations.len() as u32)
        .filter(has_country)
        .collect();
    let elsewhere = |id: &mut LocationId| {
        // What is nowhere stays nowhere.
        if let Ok(place) = known.binary_search(&id.0) {
            *id = LocationId(known[(place + 1) % known.len()]);
        }
    };
    for (_, id) in other.v4.iter_mut().step_by(100) {
        elsewhere(id);
    }
    for (_, id) in other.v6.iter_mut().step_by(100) {
        elsewhere(id);
    }
    other
}

fn countries_alone(database: &Database) -> Result<Vec<u8>> {
    let mut writer = Writer::builder("Bench-Country")
        .record_size(RecordSize::Bits32)
        .ipv4_aliasing(Ipv4Aliasing::Disabled)
        .build();
    for networks in [Networks::v4(database), Networks::v6(database)] {
        for network in networks.0 {
            let family = network.network().family();
            let Some(country) = database.location(family).country else {
                continue;
            };
            let code = Value::map([("iso_code", Value::from(country.to_string()))]);
            let at = IpNet::new(ip(network.network()), network.length())?;
            writer.insert_value(at, Value::map([("country", code)]))?;
        }
    }
    Ok(writer.to_bytes()?)
}

fn ip(address: Addr) -> std::net::IpAddr {
    std::net::Ipv6Addr::from(address.octets()).to_canonical()
}
