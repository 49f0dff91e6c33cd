//! What the programs count.

use std::{
    fs, io,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd},
};

use aya::maps::{HashMap, Map, MapData, MapError, PerCpuArray};
use enforcer_common::{
    abi::{Counter, FlowCount, FlowKey, LossCause, RuleId, names},
    verdict::Fault,
};

use super::{
    error::KernelError,
    object::{MAPS, Maps, typed},
    pins::PinDir,
};

/// Counters over all CPUs.
#[derive(Clone, Debug, Default)]
pub struct KernelCounters {
    /// One value for each [`Counter`], by its number.
    values: Vec<u64>,
    /// Rules that decided anything.
    pub decisions: Vec<(RuleId, DecisionCount)>,
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

impl KernelCounters {
    pub(super) fn read(dir: &PinDir) -> Result<Self, KernelError> {
        let open = |name| {
            Maps::open(dir)?
                .ok_or(KernelError::Missing(name))?
                .get(name)
        };
        let error = || KernelError::map("read", names::COUNTERS);
        let counters: PerCpuArray<MapData, u64> =
            typed(names::COUNTERS, Map::PerCpuArray(open(names::COUNTERS)?))?;
        let mut values = Vec::new();
        for cells in counters.iter() {
            values.push(cells.map_err(error())?.iter().sum());
        }
        let rows: PerCpuArray<MapData, [u64; 3]> =
            typed(names::DECISIONS, Map::PerCpuArray(open(names::DECISIONS)?))?;
        let mut decisions = Vec::new();
        for (rule, cells) in rows.iter().enumerate() {
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
        Ok(Self { values, decisions })
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
        match lookup_and_delete(self.map.fd().as_fd(), key) {
            Ok(count) => Ok(Some(count)),
            Err(error) => match error.raw_os_error() {
                Some(libc::ENOENT) => Ok(None),
                Some(libc::EINVAL | ENOTSUPP) => self.take_in_two_steps(key),
                _ => Err(KernelError::io("take from map", self.name)(error)),
            },
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

/// The kernel's own "not supported", which libc does not name.
const ENOTSUPP: libc::c_int = 524;

/// `BPF_MAP_LOOKUP_AND_DELETE_ELEM` on a hash (kernel 5.14), which aya does not offer.
fn lookup_and_delete(map: BorrowedFd<'_>, key: &FlowKey) -> io::Result<FlowCount> {
    const COMMAND: libc::c_long = 21;
    /// The head of `union bpf_attr` for element commands.
    #[repr(C)]
    struct Element {
        map: u32,
        padding: u32,
        key: u64,
        value: u64,
        flags: u64,
    }
    let mut count = FlowCount::default();
    let element = Element {
        map: map.as_raw_fd() as u32,
        padding: 0,
        key: std::ptr::from_ref(key).addr() as u64,
        value: (&raw mut count).addr() as u64,
        flags: 0,
    };
    // SAFETY: key and value have the map's sizes and live until the call returns.
    let outcome = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            COMMAND,
            &raw const element,
            size_of::<Element>(),
        )
    };
    if outcome == 0 {
        Ok(count)
    } else {
        Err(io::Error::last_os_error())
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
