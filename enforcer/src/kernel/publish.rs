//! Images to the kernel.

use aya::maps::{Array, ArrayOfMaps, Map, MapData};
use enforcer_common::{
    abi::{ABI_VERSION, ImageHeader, PAGE_BYTES, Page, names},
    names::Seed,
    verdict::name_seed,
};

use super::{
    error::KernelError,
    object::{Maps, typed},
};
use crate::compile::Image;

/// `include/uapi/linux/bpf.h`, kernel 5.10: inner arrays may differ in length.
const BPF_F_INNER_MAP: u32 = 1 << 12;

/// Element 0 of the outer array: the image in force.
pub(super) struct ImageSlot(ArrayOfMaps<MapData, Array<MapData, Page>>);

impl ImageSlot {
    const SLOT: u32 = 0;

    pub(super) fn new(maps: &mut Maps) -> Result<Self, KernelError> {
        let data = maps.get(names::IMAGE)?;
        typed(names::IMAGE, Map::ArrayOfMaps(data)).map(Self)
    }

    /// Fills an array of its own, then stores one pointer. The kernel waits for running programs
    /// before the call returns (`maybe_wait_bpf_programs`, 4.19), so the old image is out of use.
    pub(super) fn publish(&mut self, image: &Image) -> Result<(), KernelError> {
        let pages = image.pages();
        let error = KernelError::map("write image to", names::IMAGE);
        let filled = || {
            let mut inner = Array::create(pages.len() as u32, BPF_F_INNER_MAP)?;
            for (number, page) in pages.iter().enumerate() {
                inner.set(number as u32, page, 0)?;
            }
            Ok(inner)
        };
        let inner = filled().map_err(error)?;
        self.0
            .set(Self::SLOT, &inner, 0)
            .map_err(KernelError::map("publish to", names::IMAGE))
    }

    /// Bytes of the image in force.
    pub(super) fn memory(&self) -> Result<u64, KernelError> {
        match self.0.get(&Self::SLOT, 0) {
            Ok(inner) => Ok(u64::from(inner.len()) * PAGE_BYTES as u64),
            Err(aya::maps::MapError::KeyNotFound) => Ok(0),
            Err(error) => Err(KernelError::map("read", names::IMAGE)(error)),
        }
    }

    pub(super) fn in_force(&self) -> Result<Option<(u64, u32)>, KernelError> {
        let header = self.header()?;
        Ok(header.map(|header| {
            let generation = header.double(ImageHeader::GENERATION / 2);
            (generation, header.word(ImageHeader::CLASSES))
        }))
    }

    pub(super) fn name_seed(&self) -> Result<Option<Seed>, KernelError> {
        Ok(self.header()?.map(|header| name_seed(&header)))
    }

    /// Page 0 of the image in force, if it is of this version.
    fn header(&self) -> Result<Option<Box<Page>>, KernelError> {
        let inner = match self.0.get(&Self::SLOT, 0) {
            Ok(inner) => inner,
            Err(aya::maps::MapError::KeyNotFound) => return Ok(None),
            Err(error) => return Err(KernelError::map("read", names::IMAGE)(error)),
        };
        let header = inner
            .get(&0, 0)
            .map_err(KernelError::map("read", names::IMAGE))?;
        let same = header.word(ImageHeader::VERSION) == ABI_VERSION;
        Ok(same.then(|| Box::new(header)))
    }
}
