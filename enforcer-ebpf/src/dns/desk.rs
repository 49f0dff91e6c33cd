//! A message on the desk.

use core::arch::asm;

use enforcer_common::names::{
    Alias, Bytes, Fixed, NameHasher, NameKey, NameKeyBuilder, NameReader, RecordReader, Seed,
    Unread, read_fixed, read_name,
};

use crate::{
    maps::{DESK, Desk, MESSAGE_BYTES},
    tables::seed,
};

/// This CPU's desk, as the bytes of a message and as a reader of its names.
#[derive(Clone, Copy)]
pub(super) struct Reading(*mut Desk);

impl Reading {
    /// The desk, whoever sits there.
    #[inline(always)]
    pub(super) fn desk() -> Option<Self> {
        DESK.get_ptr_mut(0).map(Self)
    }

    /// What lies there. Nobody else on this CPU writes to it while a packet comes in.
    #[inline(always)]
    pub(super) fn as_ptr(self) -> *mut Desk {
        self.0
    }
}

impl Bytes for Reading {
    #[inline(always)]
    fn byte(&self, at: u16) -> Option<u8> {
        // SAFETY: the desk is a map value, which outlives this run of the program.
        unsafe {
            if u64::from(at) >= (*self.0).length {
                return None;
            }
            Some(
                (&raw const (*self.0).message)
                    .cast::<u8>()
                    .add(usize::from(at) % MESSAGE_BYTES)
                    .read(),
            )
        }
    }
}

impl NameReader for Reading {
    #[inline(always)]
    fn read(&mut self, at: u16) -> Result<u16, Unread> {
        match dns_name(u64::from(at)) {
            cause @ 0..=0xff => Err(Unread::from_byte(cause as u8)),
            end => Ok((end >> 8) as u16),
        }
    }

    #[inline(always)]
    fn key(&self) -> &NameKey {
        // SAFETY: as above.
        unsafe { &(*self.0).key }
    }
}

impl RecordReader for Reading {
    #[inline(always)]
    fn fixed(&mut self, at: u16) -> Result<Fixed, Unread> {
        let packed = dns_fixed(u64::from(at));
        if packed <= 0xff {
            return Err(Unread::from_byte(packed as u8));
        }
        let alias = match packed as u8 {
            NO_ALIAS => Alias::None,
            OTHER_ALIAS => Alias::Other,
            _ => Alias::Next,
        };
        Ok(Fixed {
            data: (packed >> 8) as u16,
            next: (packed >> 24) as u16,
            alias,
        })
    }

    #[inline(always)]
    fn add_alias(&mut self) -> Result<(), Unread> {
        match dns_alias() {
            0 => Ok(()),
            cause => Err(Unread::from_byte(cause as u8)),
        }
    }
}

/// Low bytes of what [`dns_fixed`] returns.
const NO_ALIAS: u8 = Alias::None as u8;
const OTHER_ALIAS: u8 = Alias::Other as u8;

/// Reads what follows the name of a record: whether it is an alias, where its data starts and where it
/// ends, in 8, 16 and 16 bits from the lowest; or why it cannot be read, alone in the lowest 8.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn dns_fixed(at: u64) -> u64 {
    let Some(reading) = Reading::desk() else {
        return Unread::Ends as u64;
    };
    // SAFETY: as above; answer, message and the name that was read lie side by side.
    let (key, answer) = unsafe { (&(*reading.0).key, &mut (*reading.0).answer) };
    match read_fixed(&reading, key, at as u16, answer) {
        Ok(fixed) => fixed.alias as u64 | u64::from(fixed.data) << 8 | u64::from(fixed.next) << 24,
        Err(cause) => cause as u64,
    }
}

/// Adds the name that was read last to the answer. 0, or why there is no room.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn dns_alias() -> u64 {
    let Some(reading) = Reading::desk() else {
        return Unread::Ends as u64;
    };
    // SAFETY: as above.
    let (key, answer) = unsafe { (&(*reading.0).key, &mut (*reading.0).answer) };
    match answer.add_name(key) {
        Ok(()) => 0,
        Err(cause) => cause as u64,
    }
}

/// A builder that stays on the desk: held in registers over the loop, it would take half of the stack.
struct OnDesk(*mut NameKeyBuilder);

impl OnDesk {
    #[inline(always)]
    fn builder(&mut self) -> &mut NameKeyBuilder {
        // SAFETY: copies a register onto itself; without `nomem`, memory is written before and read
        // after. The builder is part of a map value.
        unsafe {
            asm!("{0} = {0}", inout(reg) self.0, options(nostack));
            &mut *self.0
        }
    }
}

impl NameHasher for OnDesk {
    #[inline(always)]
    fn boundary(&mut self, seed: &Seed) {
        self.builder().boundary(seed);
    }

    #[inline(always)]
    fn byte(&mut self, byte: u8) {
        self.builder().byte(byte);
    }
}

/// Reads the name at `at` of the message on the desk. The place after it, shifted by eight bits, or
/// why it is none.
///
/// A global function: the verifier walks its loop once, not once for every record.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn dns_name(at: u64) -> u64 {
    let (Some(reading), Some(seed)) = (Reading::desk(), seed()) else {
        return Unread::Ends as u64;
    };
    // SAFETY: as above; builder, key and message lie side by side.
    unsafe {
        let mut builder = OnDesk(&raw mut (*reading.0).builder);
        *builder.0 = NameKeyBuilder::new(&seed);
        match read_name(&reading, 0, at as u16, &seed, &mut builder) {
            Ok(end) => {
                (*builder.0).finish_into(&seed, &mut (*reading.0).key);
                u64::from(end) << 8
            }
            Err(cause) => cause as u64,
        }
    }
}
