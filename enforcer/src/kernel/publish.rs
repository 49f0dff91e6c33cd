//! Images to the kernel.

use std::{
    fs,
    path::{Path, PathBuf},
};

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
///
/// The image is pinned beside it, for the kernel gives a handle on what is in the outer array to those
/// with `CAP_SYS_ADMIN` alone, and a daemon does without.
pub(super) struct ImageSlot {
    outer: ArrayOfMaps<MapData, Inner>,
    /// The image in force.
    current: PathBuf,
    /// The image that takes its place. Where both are there, a publisher died between two steps, and
    /// whoever comes after goes on from there.
    next: PathBuf,
}

type Inner = Array<MapData, Page>;

impl ImageSlot {
    const SLOT: u32 = 0;

    pub(super) fn new(maps: &mut Maps) -> Result<Self, KernelError> {
        let data = maps.get(names::IMAGE)?;
        Ok(Self {
            outer: typed(names::IMAGE, Map::ArrayOfMaps(data))?,
            // bpffs refuses names with dots.
            current: maps.pin(&format!("{}-current", names::IMAGE)),
            next: maps.pin(&format!("{}-next", names::IMAGE)),
        })
    }

    /// Fills an array of its own, then stores one pointer. The kernel waits for running programs
    /// before the call returns (`maybe_wait_bpf_programs`, 4.19), so the old image is out of use.
    pub(super) fn publish(&mut self, image: &Image) -> Result<(), KernelError> {
        let pages = image.pages();
        let error = KernelError::map("write image to", names::IMAGE);
        let filled = || {
            let mut inner = Inner::create(pages.len() as u32, BPF_F_INNER_MAP)?;
            for (number, page) in pages.iter().enumerate() {
                inner.set(number as u32, page, 0)?;
            }
            Ok(inner)
        };
        let inner = filled().map_err(error)?;
        self.finish()?;
        inner.pin(&self.next).map_err(|source| KernelError::Pin {
            path: self.next.clone(),
            source: Box::new(source),
        })?;
        self.finish()
    }

    /// Puts the next image in force, if there is one.
    pub(super) fn finish(&mut self) -> Result<(), KernelError> {
        let Some(next) = open(&self.next)? else {
            return Ok(());
        };
        self.outer
            .set(Self::SLOT, &next, 0)
            .map_err(KernelError::map("publish to", names::IMAGE))?;
        fs::rename(&self.next, &self.current).map_err(KernelError::io("replace", &self.current))
    }

    /// Bytes of the image in force.
    pub(super) fn memory(&self) -> Result<u64, KernelError> {
        let inner = self.inner()?;
        Ok(inner.map_or(0, |inner| u64::from(inner.len()) * PAGE_BYTES as u64))
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
        let Some(inner) = self.inner()? else {
            return Ok(None);
        };
        let header = inner
            .get(&0, 0)
            .map_err(KernelError::map("read", names::IMAGE))?;
        let same = header.word(ImageHeader::VERSION) == ABI_VERSION;
        Ok(same.then(|| Box::new(header)))
    }

    fn inner(&self) -> Result<Option<Inner>, KernelError> {
        match open(&self.next)? {
            None => open(&self.current),
            next => Ok(next),
        }
    }
}

fn open(pin: &Path) -> Result<Option<Inner>, KernelError> {
    if !pin.exists() {
        return Ok(None);
    }
    let data = MapData::from_pin(pin).map_err(KernelError::map("open", names::IMAGE))?;
    typed(names::IMAGE, Map::Array(data)).map(Some)
}
