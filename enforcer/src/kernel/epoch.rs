//! The epoch: what was remembered before a change is forgotten after it.

use aya::maps::{Array, Map, MapData};
use enforcer_common::abi::{Epoch, names};
use rustix::rand::{GetRandomFlags, getrandom};
use zerocopy::IntoBytes as _;

use super::{
    error::KernelError,
    object::{Maps, typed},
};

/// Element 0 of the map.
pub(super) struct EpochSlot(Array<MapData, Epoch>);

impl EpochSlot {
    const SLOT: u32 = 0;

    /// Begins an epoch: the process before may have ended between a change and the end of its epoch.
    pub(super) fn new(maps: &mut Maps) -> Result<Self, KernelError> {
        let mut slot = typed(names::EPOCH, Map::Array(maps.get(names::EPOCH)?)).map(Self)?;
        slot.end()?;
        Ok(slot)
    }

    /// Ends the epoch and begins another. To be called after the change that ends it.
    pub(super) fn end(&mut self) -> Result<(), KernelError> {
        let mut epoch = Epoch::NONE;
        // Up to 256 bytes come whole (getrandom(2)).
        getrandom(epoch.as_mut_bytes(), GetRandomFlags::empty())
            .map_err(|errno| KernelError::Random(errno.into()))?;
        self.0
            .set(Self::SLOT, epoch, 0)
            .map_err(KernelError::map("write", names::EPOCH))
    }
}
