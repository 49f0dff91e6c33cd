//! Names of addresses: whence answers may come, and the end of what was learnt.

use std::{collections::HashMap as Counts, os::fd::AsFd as _};

use aya::maps::{HashMap, Map, MapData, MapError};
use enforcer_common::{
    abi::{CgroupId, Device, HELD_NAMES, Holder, Resolved, names},
    names::NameKey,
};

use super::{
    error::KernelError,
    object::{Maps, typed},
    take::{Taken, take},
};

/// How often entries are looked at.
const EVERY_NS: u64 = 10_000_000_000;

/// The names of addresses, as workloads learnt them.
pub struct HeldNames(HashMap<MapData, Holder, Resolved>);

impl HeldNames {
    pub(super) fn new(maps: &mut Maps) -> Result<Self, KernelError> {
        let map = Map::HashMap(maps.get(names::RESOLVED)?);
        Ok(Self(typed(names::RESOLVED, map)?))
    }

    /// The names that hold of an address.
    ///
    /// # Errors
    /// The table cannot be read.
    pub fn of(&self, holder: &Holder, now_ns: u64) -> Result<Vec<NameKey>, KernelError> {
        let entry = match self.0.get(holder, 0) {
            Ok(entry) => entry,
            Err(MapError::KeyNotFound) => return Ok(Vec::new()),
            Err(error) => return Err(KernelError::map("read", names::RESOLVED)(error)),
        };
        let held = (0..HELD_NAMES).filter(|&slot| entry.holds(slot, now_ns));
        Ok(held.map(|slot| entry.names[slot].key).collect())
    }
}

pub(super) struct ResolvedNames {
    entries: HeldNames,
    /// A second handle: aya's map does not lend its own.
    map: MapData,
    returned: HashMap<MapData, CgroupId, u64>,
    taken: HashMap<MapData, CgroupId, u64>,
    trusted: HashMap<MapData, Device, u32>,
    due_ns: u64,
}

impl ResolvedNames {
    pub(super) fn new(maps: &mut Maps) -> Result<Self, KernelError> {
        Ok(Self {
            entries: HeldNames::new(maps)?,
            map: maps.get(names::RESOLVED)?,
            returned: typed(names::RETURNED, Map::HashMap(maps.get(names::RETURNED)?))?,
            taken: typed(names::TAKEN, Map::HashMap(maps.get(names::TAKEN)?))?,
            trusted: typed(names::TRUSTED, Map::HashMap(maps.get(names::TRUSTED)?))?,
            due_ns: 0,
        })
    }

    /// Makes these the interfaces of a namespace by which answers may come; those of other namespaces
    /// stay.
    pub(super) fn trust(&mut self, netns: u64, devices: &[Device]) -> Result<(), KernelError> {
        for device in devices {
            self.trusted
                .insert(device, 1, 0)
                .map_err(KernelError::map("write", names::TRUSTED))?;
        }
        for known in self.trusted.keys().collect::<Vec<_>>() {
            let known = known.map_err(KernelError::map("read", names::TRUSTED))?;
            if known.netns == netns && !devices.contains(&known) {
                forget(&mut self.trusted, &known, names::TRUSTED)?;
            }
        }
        Ok(())
    }

    /// The names that hold of an address.
    pub(super) fn names_of(
        &self,
        holder: &Holder,
        now_ns: u64,
    ) -> Result<Vec<NameKey>, KernelError> {
        self.entries.of(holder, now_ns)
    }

    /// Removes what is over, and what belongs to workloads that are gone.
    pub(super) fn expire(
        &mut self,
        now_ns: u64,
        is_workload: impl Fn(CgroupId) -> bool,
    ) -> Result<(), KernelError> {
        if now_ns < self.due_ns {
            return Ok(());
        }
        self.due_ns = now_ns + EVERY_NS;
        let over: Vec<Holder> = self
            .entries
            .0
            .iter()
            .filter_map(|entry| {
                let (holder, entry) = entry.ok()?;
                (entry.is_over(now_ns) || !is_workload(holder.workload)).then_some(holder)
            })
            .collect();
        let mut removed: Counts<CgroupId, u64> = Counts::new();
        for holder in over {
            if self.remove(&holder, now_ns, &is_workload)? {
                *removed.entry(holder.workload).or_default() += 1;
            }
        }
        for (workload, count) in removed {
            let before = self.returned.get(&workload, 0).unwrap_or(0);
            self.returned
                .insert(workload, before.wrapping_add(count), 0)
                .map_err(KernelError::map("write", names::RETURNED))?;
        }
        self.forget_workloads(is_workload)
    }

    /// Whether an entry is gone. One that an answer renewed between the look and the deletion is put
    /// back, unless the next answer was faster.
    fn remove(
        &mut self,
        holder: &Holder,
        now_ns: u64,
        is_workload: impl Fn(CgroupId) -> bool,
    ) -> Result<bool, KernelError> {
        let taken = take::<Holder, Resolved>(self.map.fd().as_fd(), holder);
        match taken.map_err(KernelError::io("take from map", names::RESOLVED))? {
            Taken::Nothing => Ok(false),
            Taken::Unsupported => {
                forget(&mut self.entries.0, holder, names::RESOLVED)?;
                Ok(true)
            }
            Taken::Value(entry) if entry.is_over(now_ns) || !is_workload(holder.workload) => {
                Ok(true)
            }
            Taken::Value(entry) => {
                const BPF_NOEXIST: u64 = 1;
                Ok(self.entries.0.insert(holder, entry, BPF_NOEXIST).is_err())
            }
        }
    }

    /// Cgroup ids are not used again, so the counts of those that are gone are of no use.
    fn forget_workloads(
        &mut self,
        is_workload: impl Fn(CgroupId) -> bool,
    ) -> Result<(), KernelError> {
        let known: Vec<CgroupId> = self.taken.keys().filter_map(Result::ok).collect();
        for gone in known.into_iter().filter(|known| !is_workload(*known)) {
            forget(&mut self.taken, &gone, names::TAKEN)?;
            forget(&mut self.returned, &gone, names::RETURNED)?;
        }
        Ok(())
    }
}

fn forget<K: aya::Pod, V: aya::Pod>(
    map: &mut HashMap<MapData, K, V>,
    key: &K,
    name: &'static str,
) -> Result<(), KernelError> {
    match map.remove(key) {
        Ok(()) | Err(MapError::KeyNotFound) => Ok(()),
        Err(error) => Err(KernelError::map("remove from", name)(error)),
    }
}
