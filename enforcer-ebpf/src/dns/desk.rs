//! A message on the desk.

use enforcer_common::names::{Bytes, NameKey, NameKeyBuilder, NameReader, Unread, read_name};

use crate::{
    maps::{DESK, Desk, MESSAGE_BYTES},
    tables::seed,
};

/// This CPU's desk, as the bytes of a message and as a reader of its names.
#[derive(Clone, Copy)]
pub struct Reading(*mut Desk);

impl Reading {
    /// The desk, whoever sits there.
    #[inline(always)]
    pub fn desk() -> Option<Self> {
        DESK.get_ptr_mut(0).map(Self)
    }

    /// What lies there. Nobody else on this CPU writes to it while a packet comes in.
    #[inline(always)]
    pub fn as_ptr(self) -> *mut Desk {
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
        let builder = &mut (*reading.0).builder;
        *builder = NameKeyBuilder::new(&seed);
        match read_name(&reading, 0, at as u16, &seed, builder) {
            Ok(end) => {
                builder.finish_into(&seed, &mut (*reading.0).key);
                u64::from(end) << 8
            }
            Err(cause) => cause as u64,
        }
    }
}
