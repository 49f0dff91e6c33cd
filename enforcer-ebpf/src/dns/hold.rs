//! What was learnt, into `RESOLVED`.

use aya_ebpf::bindings::{BPF_EXIST, BPF_NOEXIST};
use enforcer_common::{
    abi::{CgroupId, ClassId, DnsCount, HELD_NAMES, Held, Holder, Resolved},
    names::{MAX_ADDRESSES, MAX_NAMES},
};

use super::desk::Reading;
use crate::{
    emit::{add, count},
    maps::{HOLDER_ENTRIES, RESOLVED, RETURNED, TAKEN},
    names::mask_of,
    tables::now_ns,
};

/// Tries of an entry that another CPU writes too.
const TRIES: u32 = 4;

/// Chooses the names to hold: those that policies of the class know, and as far as there is room the
/// others, which a later image may know. False when no policy knows any.
#[inline(always)]
pub(super) fn keep_names(reading: Reading, class: ClassId) -> bool {
    let desk = reading.as_ptr();
    let mut known = 0;
    // SAFETY: the desk is a map value; indices are masked.
    unsafe {
        (*desk).kept_count = 0;
        for wanted in [true, false] {
            for index in 0..MAX_NAMES {
                if index as u32 >= (*desk).answer.name_count() {
                    break;
                }
                if wanted {
                    (*desk).masks[index % MAX_NAMES] = dns_mask(index as u64, u64::from(class.0));
                }
                let is_known = (*desk).masks[index % MAX_NAMES] != 0;
                if is_known == wanted {
                    dns_keep(index as u64);
                    known |= u64::from(is_known);
                }
            }
        }
    }
    known != 0
}

/// What the name at `index` of the answer on the desk means to a class.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn dns_mask(index: u64, class: u64) -> u64 {
    let Some(reading) = Reading::desk() else {
        return 0;
    };
    // SAFETY: the desk is a map value.
    match unsafe { (*reading.as_ptr()).answer.name(index as u32) } {
        Some(key) => mask_of(ClassId(class as u16), key),
        None => 0,
    }
}

/// Keeps the name at `index` of the answer on the desk, if there is room. Always returns 0.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn dns_keep(index: u64) -> u64 {
    let Some(reading) = Reading::desk() else {
        return 0;
    };
    let desk = reading.as_ptr();
    // SAFETY: the desk is a map value; indices are masked.
    unsafe {
        let at = (*desk).kept_count;
        if at >= HELD_NAMES as u64 {
            // Only a name that means something is a loss.
            if (*desk).masks[index as usize % MAX_NAMES] != 0 {
                count(DnsCount::Displaced.counter());
            }
            return 0;
        }
        if let Some(key) = (*desk).answer.name(index as u32) {
            (*desk).kept[at as usize % HELD_NAMES] = *key;
            (*desk).kept_count = at + 1;
        }
    }
    0
}

/// Gives the kept names to every address of the answer on the desk.
#[inline(always)]
pub(super) fn hold_addresses(addresses: u32, workload: CgroupId, until_ns: u64) {
    for index in 0..MAX_ADDRESSES as u32 {
        if index >= addresses {
            break;
        }
        if !hold(u64::from(index), workload, until_ns) {
            count(DnsCount::NoRoom.counter());
        }
    }
}

/// Whether the address at `index` has the kept names.
#[inline(always)]
fn hold(index: u64, workload: CgroupId, until_ns: u64) -> bool {
    for _ in 0..TRIES {
        if dns_hold(index, workload.0, until_ns) == 0 {
            return true;
        }
    }
    false
}

/// Gives the kept names to the address at `index`. 0 when the entry has them.
///
/// An entry is replaced whole, so who reads it sees the old or the new one; if another CPU replaced it
/// in between, what it wrote is kept by trying again.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn dns_hold(index: u64, workload: u64, until_ns: u64) -> u64 {
    let Some(reading) = Reading::desk() else {
        return 1;
    };
    let desk = reading.as_ptr();
    let now = now_ns();
    // SAFETY: the desk and the entry are map values.
    unsafe {
        let Some(addr) = (*desk).answer.address(index as u32) else {
            return 1;
        };
        let workload = CgroupId(workload);
        let holder = Holder { workload, addr };
        let known = RESOLVED.get_ptr(&holder);
        match known {
            Some(known) => (*desk).entry = *known,
            None => (*desk).entry = Resolved::of(holder),
        }
        // The memory of an entry may be another's by now.
        if (&raw const (*desk).entry.holder).read_volatile() != holder {
            return 1;
        }
        for at in 0..HELD_NAMES {
            if at as u64 >= (*desk).kept_count {
                break;
            }
            let key = &(*desk).kept[at % HELD_NAMES];
            if (*desk).entry.note(key, until_ns, now) == Held::Displaced {
                count(DnsCount::Displaced.counter());
            }
        }
        let entry = &(*desk).entry;
        let written = if known.is_some() {
            RESOLVED.insert(&holder, entry, BPF_EXIST.into()).is_ok()
        } else {
            take(workload) && insert(&holder, entry)
        };
        u64::from(!written || !is_written(reading, &holder))
    }
}

/// A new entry of a workload that has taken its room.
#[inline(always)]
fn insert(holder: &Holder, entry: &Resolved) -> bool {
    let inserted = RESOLVED.insert(holder, entry, BPF_NOEXIST.into()).is_ok();
    if !inserted && let Some(taken) = TAKEN.get_ptr_mut(holder.workload) {
        add(taken, u64::MAX);
    }
    inserted
}

/// Takes room for an entry.
#[inline(always)]
fn take(workload: CgroupId) -> bool {
    if TAKEN.get_ptr(workload).is_none() {
        // Another CPU may be first: then it is there.
        let _there_or_no_memory = TAKEN.insert(workload, 0, BPF_NOEXIST.into());
    }
    let Some(taken) = TAKEN.get_ptr_mut(workload) else {
        return false;
    };
    // SAFETY: aligned words of map values.
    let (used, returned) = unsafe {
        let returned = RETURNED.get(workload).map_or(0, |returned| *returned);
        (*taken, returned)
    };
    if used.wrapping_sub(returned) >= HOLDER_ENTRIES {
        return false;
    }
    add(taken, 1);
    true
}

/// Whether the entry has every kept name.
#[inline(always)]
fn is_written(reading: Reading, holder: &Holder) -> bool {
    let desk = reading.as_ptr();
    // SAFETY: the desk and the entry are map values.
    unsafe {
        let Some(entry) = RESOLVED.get_ptr(holder) else {
            return false;
        };
        let mut all = true;
        for at in 0..HELD_NAMES {
            if (at as u64) < (*desk).kept_count {
                all &= (*entry).has(&(*desk).kept[at % HELD_NAMES]);
            }
        }
        all
    }
}
