//! Names of addresses, as an image sees them.

use super::{decision::Fault, locate::descend, tables::Pages};
use crate::{
    abi::{
        Addr, CHAIN_STEPS, Chain, ClassEntry, ClassId, ImageHeader, NameMask, NameSet, Outcome,
        Page, RESOLVER_SLOTS,
    },
    names::{MAX_SUFFIX_LABELS, NameKey, Seed},
};

/// What holds of the names of a flow's destination.
///
/// A mask only means something to the image whose conditions it numbers. An image that is published
/// between the question and its use is noticed, and the question is asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Names {
    /// Conditions that hold.
    pub mask: NameMask,
    image: u32,
}

impl Names {
    /// Nobody asked yet.
    pub const UNASKED: Self = Self {
        mask: NameMask::NONE,
        image: u32::MAX,
    };

    /// What holds in the image with this number.
    #[inline(always)]
    #[must_use]
    pub fn in_image(mask: NameMask, generation: u64) -> Self {
        Self {
            mask,
            image: u32::from(generation as u16),
        }
    }

    /// Mask and image, for functions that take no more than numbers.
    #[inline(always)]
    #[must_use]
    pub fn words(self) -> (u64, u32) {
        (self.mask.0, self.image)
    }

    /// Reads what [`words`](Self::words) wrote.
    #[inline(always)]
    #[must_use]
    pub fn from_words(mask: u64, image: u32) -> Self {
        Self {
            mask: NameMask(mask),
            image,
        }
    }

    /// Whether they are of the image with this header.
    #[inline(always)]
    pub(super) fn are_of(self, header: &Page) -> bool {
        self.image == u32::from(header.word(ImageHeader::GENERATION) as u16)
    }
}

/// The seed of an image's hashes.
#[inline(always)]
#[must_use]
pub fn name_seed(header: &Page) -> Seed {
    let at = ImageHeader::NAME_SEED / 2;
    Seed([header.double(at), header.double(at + 1)])
}

/// Whether the policies of a class have conditions on names: only then is it worth noting names for
/// its workloads.
#[inline(always)]
#[must_use]
pub fn has_names(header: &Page, class: ClassId) -> bool {
    u32::from(class.0) < header.word(ImageHeader::CLASSES) && ClassEntry::read(header, class).names
}

/// Whether answers of this address say which names an address has, for a class: every policy of it
/// that has conditions on names must believe the resolver.
#[inline(always)]
#[must_use]
pub fn is_resolver<P: Pages>(pages: &P, class: ClassId, address: Addr) -> bool {
    let Some(header) = pages.page(0) else {
        return false;
    };
    if !has_names(header, class) {
        return false;
    }
    let list = ClassEntry::read(header, class).resolvers;
    let Some(page) = pages.page(u32::from(list.page)) else {
        return false;
    };
    let (hi, lo) = address.halves();
    for slot in 0..RESOLVER_SLOTS {
        if slot >= list.count {
            break;
        }
        let at = list.offset.wrapping_add(u16::from(slot) * 2);
        if page.double(at) == hi && page.double(at.wrapping_add(1)) == lo {
            return true;
        }
    }
    false
}

/// What holds of a name in a class.
///
/// # Errors
/// The image lacks a page or holds a word that no version wrote.
#[inline(always)]
pub fn name_mask<P: Pages>(pages: &P, class: ClassId, name: &NameKey) -> Result<NameMask, Fault> {
    let set = name_set_of(name, |hash| name_set(pages, hash))?;
    set_mask(pages, class, set)
}

/// The set of a name, where `find` is [`name_set`].
///
/// The whole name is looked for first, then its suffixes from the longest: the deepest pattern that
/// matches knows of all others that do.
///
/// # Errors
/// Those of `find`.
#[inline(always)]
pub fn name_set_of(
    name: &NameKey,
    find: impl Fn(u64) -> Result<NameSet, Fault>,
) -> Result<NameSet, Fault> {
    let mut set = find(name.whole)?;
    for shorter in 0..MAX_SUFFIX_LABELS {
        let labels = MAX_SUFFIX_LABELS - shorter;
        if set.0 == 0
            && let Some(hash) = name.below(labels)
        {
            set = find(hash)?;
        }
    }
    Ok(set)
}

/// The set of the pattern with this hash; 0 where there is none.
///
/// # Errors
/// The image lacks a page or holds a word that no version wrote.
#[inline(always)]
pub fn name_set<P: Pages>(pages: &P, hash: u64) -> Result<NameSet, Fault> {
    let header = pages.page(0).ok_or(Fault::NoImage)?;
    match header.word(ImageHeader::NAME_INDEX) {
        0 => Ok(NameSet(0)),
        index => Ok(NameSet(descend(pages, index, hash)?.0)),
    }
}

/// What a set means to a class.
///
/// # Errors
/// The image lacks a page.
#[inline(always)]
pub fn set_mask<P: Pages>(pages: &P, class: ClassId, set: NameSet) -> Result<NameMask, Fault> {
    let header = pages.page(0).ok_or(Fault::NoImage)?;
    if !has_names(header, class) {
        return Ok(NameMask::NONE);
    }
    let sets = header.word(ImageHeader::NAME_SETS);
    let row = ClassEntry::read(header, class).mask_row;
    let cell = row.wrapping_mul(sets).wrapping_add(u32::from(set.0));
    let number = header
        .word(ImageHeader::NAME_MASKS)
        .wrapping_add(cell >> 15);
    let page = pages.page(number).ok_or(Fault::NoPage)?;
    Ok(NameMask(page.double(cell as u16 & 0x7fff)))
}

/// Follows a chain to its end: the word of an outcome, or a fault's number;
/// [`Fault::NoNames`] when the names are of another image.
#[inline(always)]
#[must_use]
pub fn walk<P: Pages>(pages: &P, first: u32, names: Names) -> u32 {
    match pages.page(0) {
        Some(header) if names.are_of(header) => {}
        Some(_) => return Fault::NoNames as u32,
        None => return Fault::NoImage as u32,
    }
    let mut word = first;
    for _ in 0..CHAIN_STEPS {
        if Outcome::is_outcome(word) {
            return word;
        }
        if !Chain::is_chain(word) {
            return Fault::BadList as u32;
        }
        let chain = Chain::place(word);
        let Some(page) = pages.page(u32::from(chain.page)) else {
            return Fault::NoPage as u32;
        };
        let ways = page.double(chain.offset.wrapping_add(1));
        let holds = page.double(chain.offset) & names.mask.0 != 0;
        word = if holds {
            (ways >> 32) as u32
        } else {
            ways as u32
        };
    }
    if Outcome::is_outcome(word) {
        word
    } else {
        Fault::BadList as u32
    }
}
