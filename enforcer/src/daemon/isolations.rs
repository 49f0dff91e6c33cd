//! Which workloads are isolated, why and until when: a file of the state directory.
//!
//! The kernel has what it needs in the tags and ends an isolation by itself. This is what people and
//! the next daemon need.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use jiff::{SignedDuration, Timestamp};

use super::{exceptions, state_file};
use crate::{
    control::{Author, IsolateRequest, Isolation},
    events::clock,
    policy::{Policy, PolicyName},
};

/// Longest isolation, in seconds: a year. One without an end is a policy.
const LONGEST: u64 = 366 * 86_400;

/// Isolations of an instance, at most one for each path.
#[derive(Debug)]
pub struct Isolations {
    file: PathBuf,
    boot: String,
    active: Vec<Isolation>,
}

/// What all isolations that cover a path amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Covering {
    /// `CLOCK_BOOTTIME` nanoseconds of the last one's end.
    pub until_ns: u64,
    /// Policies that allow the exceptions of each; `None` when one of them has none.
    pub exceptions: Option<Vec<PolicyName>>,
}

impl Isolations {
    /// Reads those that an earlier daemon, or a caller without one, wrote below `state`.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn open(state: &Path) -> anyhow::Result<Self> {
        let file = state.join("isolations.json");
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .context("read the id of this boot")?;
        let boot = boot.trim().to_owned();
        let mut active: Vec<Isolation> = match fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| {
                format!(
                    "{} is damaged: remove it; tags that isolate stay until their time",
                    file.display()
                )
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error).with_context(|| format!("read {}", file.display())),
        };
        for isolation in &mut active {
            if isolation.boot != boot {
                boot.clone_into(&mut isolation.boot);
                isolation.until_boottime_ns = boottime_of(&isolation.until);
            }
        }
        Ok(Self { file, boot, active })
    }

    /// What is asked for, as it would be noted.
    ///
    /// # Errors
    /// It is too long, has no reason, or an exception cannot be meant.
    pub fn noted(
        &self,
        workload: String,
        request: &IsolateRequest,
        author: Author,
    ) -> anyhow::Result<Isolation> {
        ensure!(request.seconds > 0, "an isolation lasts at least a second");
        ensure!(
            request.seconds <= LONGEST,
            "an isolation lasts at most 366 days: for longer, write a policy"
        );
        ensure!(!request.reason.trim().is_empty(), "say why: --reason TEXT");
        exceptions::policy(&request.allow)?;
        let lasts = SignedDuration::from_secs(request.seconds.cast_signed());
        Ok(Isolation {
            workload,
            until: Timestamp::now().saturating_add(lasts)?.to_string(),
            until_boottime_ns: clock::boottime_ns() + request.seconds * 1_000_000_000,
            boot: self.boot.clone(),
            reason: request.reason.clone(),
            allow: request.allow.clone(),
            author: Some(author),
        })
    }

    /// An isolation that a tag says and no file knows.
    #[must_use]
    pub fn of_tag(&self, workload: String, until_ns: u64) -> Isolation {
        Isolation {
            workload,
            until: clock::Clock::now().wall(until_ns).to_string(),
            until_boottime_ns: until_ns,
            boot: self.boot.clone(),
            reason: "its record was lost".to_owned(),
            allow: Vec::new(),
            author: None,
        }
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[Isolation] {
        &self.active
    }

    /// Adds one, in the place of an earlier one of the same workload.
    ///
    /// # Errors
    /// It cannot be written; nothing has changed.
    pub fn put(&mut self, isolation: Isolation) -> anyhow::Result<()> {
        let mut next = self.active.clone();
        next.retain(|other| other.workload != isolation.workload);
        next.push(isolation);
        self.store(next)
    }

    /// Removes that of a workload.
    ///
    /// # Errors
    /// There is none, or it cannot be written; nothing has changed.
    pub fn remove(&mut self, workload: &str) -> anyhow::Result<Isolation> {
        let mut next = self.active.clone();
        let Some(at) = next.iter().position(|it| it.workload == workload) else {
            let above = self.active.iter().find(|it| covers(&it.workload, workload));
            match above {
                Some(above) => bail!(
                    "{workload} is isolated with {}: release that",
                    above.workload
                ),
                None => bail!("{workload} is not isolated"),
            }
        };
        let removed = next.remove(at);
        self.store(next)?;
        Ok(removed)
    }

    /// Puts back what there was.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn restore(&mut self, before: Vec<Isolation>) -> anyhow::Result<()> {
        self.store(before)
    }

    /// Removes those whose time is over.
    ///
    /// # Errors
    /// They cannot be written; they are removed the next time.
    pub fn expire(&mut self, now_ns: u64) -> anyhow::Result<Vec<Isolation>> {
        let over = |it: &Isolation| it.until_boottime_ns <= now_ns;
        if !self.active.iter().any(over) {
            return Ok(Vec::new());
        }
        let (expired, next) = self.active.iter().cloned().partition(over);
        self.store(next)?;
        Ok(expired)
    }

    /// What holds for a cgroup: its own isolation and those of all above it.
    #[must_use]
    pub fn covering(&self, path: &str) -> Option<Covering> {
        let mut covering: Option<Covering> = None;
        for isolation in self.active.iter().filter(|it| covers(&it.workload, path)) {
            let own = exceptions::name(&isolation.allow);
            covering = Some(match covering {
                None => Covering {
                    until_ns: isolation.until_boottime_ns,
                    exceptions: own.map(|name| vec![name]),
                },
                Some(others) => Covering {
                    until_ns: others.until_ns.max(isolation.until_boottime_ns),
                    exceptions: others.exceptions.zip(own).map(|(mut names, name)| {
                        names.push(name);
                        names
                    }),
                },
            });
        }
        covering
    }

    /// The policies that allow exceptions, each once.
    #[must_use]
    pub fn policies(&self) -> Vec<Policy> {
        let policies = self.active.iter();
        // They were read before they were noted.
        let mut policies: Vec<Policy> = policies
            .filter_map(|it| exceptions::policy(&it.allow).ok().flatten())
            .collect();
        policies.sort_by(|a, b| a.name.cmp(&b.name));
        policies.dedup_by(|a, b| a.name == b.name);
        policies
    }

    fn store(&mut self, next: Vec<Isolation>) -> anyhow::Result<()> {
        state_file::write(&self.file, &serde_json::to_vec_pretty(&next)?)
            .with_context(|| format!("write {}", self.file.display()))?;
        self.active = next;
        Ok(())
    }
}

/// Whether a cgroup is this one or below it.
fn covers(isolated: &str, path: &str) -> bool {
    let rest = path.strip_prefix(isolated.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// After a reboot the wall clock is what is left to go by.
fn boottime_of(until: &str) -> u64 {
    let left = until
        .parse::<Timestamp>()
        .map_or(0, |until| until.duration_since(Timestamp::now()).as_nanos());
    clock::boottime_ns().saturating_add(u64::try_from(left).unwrap_or(0))
}

#[cfg(test)]
mod tests;
