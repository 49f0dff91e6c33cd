//! What the programs count.

use std::{
    fs,
    os::fd::{AsFd as _, AsRawFd as _},
};

use aya::{
    Pod,
    maps::{HashMap, Map, MapData, MapError, PerCpuArray},
};
use enforcer_common::{
    abi::{Counter, DnsCount, FlowCount, FlowKey, LossCause, RuleId, names},
    names::Unread,
    verdict::Fault,
};

use super::{
    error::KernelError,
    object::{MAPS, Maps, typed},
    pins::PinDir,
    take::{Taken, take},
};

/// Counters over all CPUs.
#[derive(Clone, Debug, Default)]
pub struct KernelCounters {
    /// One value for each [`Counter`], by its number.
    values: Vec<u64>,
}

/// What a rule decided. Rule 0 stands for all that have no row of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecisionCount {
    /// Flows let through.
    pub allowed: u64,
    /// Flows refused.
    pub denied: u64,
    /// Flows let through because the policy is in audit mode.
    pub would_deny: u64,
}

fn open<T: Pod>(dir: &PinDir, name: &'static str) -> Result<PerCpuArray<MapData, T>, KernelError> {
    let map = Maps::open(dir)?
        .ok_or(KernelError::Missing(name))?
        .get(name)?;
    typed(name, Map::PerCpuArray(map))
}

/// Those of the first `rules` rules that decided anything.
pub(super) fn decisions(
    dir: &PinDir,
    rules: usize,
) -> Result<Vec<(RuleId, DecisionCount)>, KernelError> {
    let rows: PerCpuArray<MapData, [u64; 3]> = open(dir, names::DECISIONS)?;
    let mut decisions = Vec::new();
    // A system call for each row.
    for (rule, cells) in rows.iter().enumerate().take(rules) {
        let cells = cells.map_err(KernelError::map("read", names::DECISIONS))?;
        let sum = |column: usize| cells.iter().map(|cell| cell[column]).sum();
        let count = DecisionCount {
            allowed: sum(0),
            denied: sum(1),
            would_deny: sum(2),
        };
        if count != DecisionCount::default() {
            decisions.push((RuleId(rule as u16), count));
        }
    }
    Ok(decisions)
}

impl KernelCounters {
    pub(super) fn read(dir: &PinDir) -> Result<Self, KernelError> {
        let counters: PerCpuArray<MapData, u64> = open(dir, names::COUNTERS)?;
        let mut values = Vec::new();
        for cells in counters.iter() {
            let cells = cells.map_err(KernelError::map("read", names::COUNTERS))?;
            values.push(cells.iter().sum());
        }
        Ok(Self { values })
    }

    /// One counter.
    #[must_use]
    pub fn get(&self, counter: Counter) -> u64 {
        self.value(counter as u32)
    }

    /// Faults by label.
    pub fn faults(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Fault::ALL
            .into_iter()
            .map(|(fault, label)| (label, self.value(fault.counter())))
    }

    /// Lost events by cause.
    pub fn losses(&self) -> impl Iterator<Item = (&'static str, u64)> {
        LossCause::ALL
            .into_iter()
            .map(|(_, counter, label)| (label, self.get(counter)))
    }

    /// What became of DNS messages, by label.
    pub fn dns(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = DnsCount::ALL
            .into_iter()
            .map(|(count, label)| (label, self.value(count.counter())));
        let unread = Unread::ALL
            .into_iter()
            .map(|(cause, label)| (label, self.value(DnsCount::unread(cause))));
        counts.chain(unread)
    }

    fn value(&self, index: u32) -> u64 {
        self.values.get(index as usize).copied().unwrap_or(0)
    }
}

/// A table of flows with their counts.
pub struct Flows {
    name: &'static str,
    flows: HashMap<MapData, FlowKey, FlowCount>,
    /// A second handle: aya's map does not lend its own.
    map: MapData,
}

impl Flows {
    pub(super) fn new(maps: &mut Maps, name: &'static str) -> Result<Self, KernelError> {
        let flows = typed(name, Map::HashMap(maps.get(name)?))?;
        Ok(Self {
            name,
            flows,
            map: maps.get(name)?,
        })
    }

    /// Every flow with its counts.
    ///
    /// # Errors
    /// The map cannot be read.
    pub fn all(&self) -> Result<Vec<(FlowKey, FlowCount)>, KernelError> {
        // Programs add and the daemon removes while this walks: an entry may be missing once.
        self.flows
            .iter()
            .collect::<Result<_, _>>()
            .map_err(KernelError::map("read", self.name))
    }

    /// Forgets a flow and gives its last counts, in one step, so that no count falls between.
    /// `None` when there is no such flow.
    ///
    /// # Errors
    /// The map cannot be written.
    pub fn take(&mut self, key: &FlowKey) -> Result<Option<FlowCount>, KernelError> {
        let taken = take(self.map.fd().as_fd(), key);
        match taken.map_err(KernelError::io("take from map", self.name))? {
            Taken::Value(count) => Ok(Some(count)),
            Taken::Nothing => Ok(None),
            Taken::Unsupported => self.take_in_two_steps(key),
        }
    }

    /// Before kernel 5.14: a repeat between the two steps is not told.
    fn take_in_two_steps(&mut self, key: &FlowKey) -> Result<Option<FlowCount>, KernelError> {
        let count = match self.flows.get(key, 0) {
            Ok(count) => count,
            Err(MapError::KeyNotFound) => return Ok(None),
            Err(error) => return Err(KernelError::map("read", self.name)(error)),
        };
        self.flows
            .remove(key)
            .map_err(KernelError::map("remove from", self.name))?;
        Ok(Some(count))
    }
}

/// What a map costs.
#[derive(Clone, Debug)]
pub struct MapMemory {
    /// Its name.
    pub name: &'static str,
    /// Bytes as the kernel accounts them.
    pub bytes: u64,
    /// Entries it can hold.
    pub capacity: u32,
}

impl MapMemory {
    pub(super) fn read(dir: &PinDir) -> Result<Vec<Self>, KernelError> {
        let maps = Maps::open(dir)?.ok_or(KernelError::Missing(names::IMAGE))?;
        MAPS.into_iter()
            .map(|name| {
                let data = maps.get(name)?;
                let capacity = data.info().map_or(0, |info| info.max_entries());
                let mut bytes = memlock(&data)?;
                if name == names::IMAGE {
                    bytes += super::publish::ImageSlot::new(
                        &mut Maps::open(dir)?.ok_or(KernelError::Missing(name))?,
                    )?
                    .memory()?;
                }
                Ok(Self {
                    name,
                    bytes,
                    capacity,
                })
            })
            .collect()
    }
}

/// The kernel's own account, which for hashes counts what is allocated (5.19).
pub(super) fn memlock(map: &MapData) -> Result<u64, KernelError> {
    let path = format!("/proc/self/fdinfo/{}", map.fd().as_fd().as_raw_fd());
    let text = fs::read_to_string(&path).map_err(KernelError::io("read", path))?;
    let field = text.lines().find_map(|line| line.strip_prefix("memlock:"));
    Ok(field
        .and_then(|field| field.trim().parse().ok())
        .unwrap_or(0))
}
