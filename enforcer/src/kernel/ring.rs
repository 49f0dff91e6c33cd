//! Events from the ring.

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd, OwnedFd},
};

use aya::maps::{Map, MapData, RingBuf};
use enforcer_common::abi::{Event, names};
use zerocopy::FromBytes as _;

use super::{
    error::KernelError,
    object::{Maps, typed},
};

/// Reader of the ring.
pub struct EventRing {
    ring: RingBuf<MapData>,
    unreadable: u64,
}

impl EventRing {
    pub(super) fn new(maps: &mut Maps) -> Result<Self, KernelError> {
        let ring = typed(names::EVENTS, Map::RingBuf(maps.get(names::EVENTS)?))?;
        Ok(Self {
            ring,
            unreadable: 0,
        })
    }

    /// Records of another size, passed over.
    #[must_use]
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// A descriptor of its own that becomes readable when there is an event.
    ///
    /// # Errors
    /// The process has too many open files.
    pub fn readiness(&self) -> io::Result<OwnedFd> {
        // SAFETY: the ring owns the descriptor and lives as long as `self`.
        unsafe { BorrowedFd::borrow_raw(self.ring.as_raw_fd()) }.try_clone_to_owned()
    }
}

impl Iterator for EventRing {
    type Item = Event;

    /// The next event, if there is one now.
    fn next(&mut self) -> Option<Event> {
        loop {
            let item = self.ring.next()?;
            match Event::read_from_bytes(&item) {
                Ok(event) => return Some(event),
                Err(_) => self.unreadable += 1,
            }
        }
    }
}
