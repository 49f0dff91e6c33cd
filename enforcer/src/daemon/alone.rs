//! Isolation while no daemon runs: the tags are written through the pins.

use std::{fs::File, path::Path};

use anyhow::{Context as _, bail, ensure};
use enforcer_common::abi::{CgroupId, Tag};

use super::isolations::Isolations;
use crate::{
    control::{self, IsolateRequest, Isolation, server::this_process},
    kernel::{Build, Enforcement, PinDir},
    workloads::{Cgroup2, cgroup2},
};

/// What a daemon would hold.
struct Pins {
    enforcement: Enforcement,
    cgroups: Cgroup2,
    isolations: Isolations,
    /// Keeps a daemon from starting meanwhile.
    _lock: File,
}

/// Isolates a cgroup and all below it.
///
/// # Errors
/// It is not covered, or there are exceptions, which need an image and so a daemon.
pub fn isolate(request: &IsolateRequest, instance: &str) -> anyhow::Result<Isolation> {
    ensure!(
        request.allow.is_empty(),
        "no daemon runs, and exceptions need one: start `enforcer run`, or isolate without --allow"
    );
    let mut pins = Pins::open(instance)?;
    let path = pins.cgroups.path_of(Path::new(&request.workload))?;
    pins.nearest(&path)?.with_context(|| {
        format!("cgroup {path} is not covered: no tag is on it or above it, and no daemon runs")
    })?;
    let isolation = pins
        .isolations
        .noted(path.clone(), request, this_process())?;
    pins.isolations.put(isolation.clone())?;
    pins.retag(&path)?;
    Ok(isolation)
}

/// Ends an isolation before its time.
///
/// # Errors
/// There is none.
pub fn release(workload: &Path, instance: &str) -> anyhow::Result<Isolation> {
    let mut pins = Pins::open(instance)?;
    let path = pins.cgroups.path_of(workload);
    let path = path.unwrap_or_else(|_| workload.display().to_string());
    let isolation = pins.isolations.remove(&path)?;
    pins.retag(&path)?;
    Ok(isolation)
}

impl Pins {
    fn open(instance: &str) -> anyhow::Result<Self> {
        let lock = control::lock_path(instance);
        let lock = File::create(&lock)
            .with_context(|| format!("make {}: are you root?", lock.display()))?;
        if lock.try_lock().is_err() {
            bail!("a daemon for instance `{instance}` is starting or ending: try again");
        }
        let mut adopted = None;
        for build in Build::ALL {
            adopted = adopted.or(Enforcement::adopt(PinDir::of_run(instance, build))?);
        }
        Ok(Self {
            enforcement: adopted.with_context(|| {
                format!("nothing of this build is in force for instance `{instance}`")
            })?,
            cgroups: Cgroup2::find()?,
            isolations: Isolations::open(&Path::new("/var/lib/enforcer").join(instance))?,
            _lock: lock,
        })
    }

    /// The tag of a cgroup, or of the nearest one above it.
    fn nearest(&self, path: &str) -> anyhow::Result<Option<Tag>> {
        for path in cgroup2::upwards(path) {
            if let Some(tag) = self.enforcement.tag_of(self.cgroups.id(path)?)? {
                return Ok(Some(tag));
            }
        }
        Ok(None)
    }

    /// Writes the tags of a cgroup and of all below it as the isolations say.
    fn retag(&mut self, path: &str) -> anyhow::Result<()> {
        let Ok(top) = self.cgroups.id(path) else {
            // It is gone, and its tag means nobody.
            return Ok(());
        };
        for below in self.cgroups.tree(path) {
            let Ok(cgroup) = self.cgroups.id(&below) else {
                continue;
            };
            let own = self.enforcement.tag_of(cgroup)?;
            let tag = match own {
                None if cgroup == top => self.nearest(path)?,
                own => own,
            };
            if let Some(tag) = tag {
                self.write(cgroup, &below, tag)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, cgroup: CgroupId, path: &str, tag: Tag) -> anyhow::Result<()> {
        let covering = self.isolations.covering(path);
        let kept = covering.as_ref().filter(|it| it.exceptions.is_some());
        let tag = match (covering.as_ref(), kept, tag.exceptions()) {
            // Another isolation, made by a daemon, goes on with its exceptions.
            (Some(covering), Some(_), Some(class)) => {
                tag.isolated(covering.until_ns).with_exceptions(class)
            }
            (covering, _, _) => tag.isolated(covering.map_or(0, |it| it.until_ns)),
        };
        Ok(self.enforcement.tag(cgroup, tag)?)
    }
}
