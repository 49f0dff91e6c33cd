//! Class, destination, protocol and port to outcome: steps 5 and 6 of [`decide`](super::decide).

use super::{
    decision::Fault, locate::locate, names::Names, search::last_double_at_most, tables::Pages,
};
use crate::abi::{
    Addr, ClassEntry, ClassId, EmbeddedV4, Family, ImageHeader, MatrixEntry, Nat64Prefix, Outcome,
    Page,
};

/// What the policies of a class say of a flow, in one double word: a program that takes it apart before
/// it must spends more on that than on the search.
///
/// ```text
/// generation:16 | unused:15 | judge_replies:1 | an outcome or a fault:32
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement(u64);

impl Judgement {
    const REPLIES: u64 = 1 << 32;
    const GENERATION: u32 = 48;

    const fn fault(fault: Fault) -> Self {
        Self(Self::REPLIES | fault as u64)
    }

    /// All of it.
    #[inline(always)]
    #[must_use]
    pub const fn pack(self) -> u64 {
        self.0
    }

    /// What [`pack`](Self::pack) gave.
    #[inline(always)]
    #[must_use]
    pub const fn unpack(double: u64) -> Self {
        Self(double)
    }

    /// What the deciding rule says.
    ///
    /// # Errors
    /// Why none could be found.
    #[inline(always)]
    pub fn outcome(self) -> Result<Outcome, Fault> {
        match Outcome::unpack(self.0 as u32) {
            Some(outcome) => Ok(outcome),
            None => Err(Fault::from_byte(self.0 as u8)),
        }
    }

    /// Whether it depends on names that were not asked for, or not of this image.
    #[inline(always)]
    #[must_use]
    pub const fn lacks_names(self) -> bool {
        self.0 as u32 == Fault::NoNames as u32
    }

    /// Whether a policy of the class judges replies as any other packet. Told only of refusals.
    #[inline(always)]
    #[must_use]
    pub const fn judge_replies(self) -> bool {
        self.0 & Self::REPLIES != 0
    }

    /// Low 16 bits of the image's number.
    #[inline(always)]
    #[must_use]
    pub const fn generation(self) -> u16 {
        (self.0 >> Self::GENERATION) as u16
    }
}

/// What the policies of `class` say of a flow to `dst` with the protocol and port of `key`
/// ([`Segment::key`](crate::abi::Segment::key)).
///
/// Where that depends on names and `names` are not of this image, the outcome is
/// [`Fault::NoNames`]: ask for them, and judge again.
#[inline(always)]
#[must_use]
pub fn judge<P: Pages>(pages: &P, class: ClassId, dst: Addr, key: u32, names: Names) -> Judgement {
    let Some(header) = pages.page(0) else {
        return Judgement::fault(Fault::NoImage);
    };
    if u32::from(class.0) >= header.word(ImageHeader::CLASSES) {
        return Judgement::fault(Fault::NoClass);
    }
    let (mut address, mut second) = destinations(header, dst);
    let mut judged = Fault::NoImage as u32;
    // Only ISATAP goes round again. A loop, so that the verifier sees one copy of the code.
    for round in 0..2 {
        let word = judge_address(pages, header, class, address, key, names);
        if round == 0 || !Outcome::allows_silently(word) {
            judged = word;
        }
        match second.take() {
            Some(next) if Outcome::allows(judged) => address = next,
            _ => break,
        }
    }
    let replies = if !Outcome::allows(judged) && ClassEntry::read(header, class).judge_replies {
        Judgement::REPLIES
    } else {
        0
    };
    let generation = u64::from(header.word(ImageHeader::GENERATION) as u16);
    Judgement(generation << Judgement::GENERATION | replies | u64::from(judged))
}

/// The address that the packet ends at, and a second one where it may end at either.
#[inline(always)]
fn destinations(header: &Page, dst: Addr) -> (Family, Option<Family>) {
    let (hi, lo) = match dst.family() {
        Family::V4(_) => return (dst.family(), None),
        Family::V6(hi, lo) => (hi, lo),
    };
    let own_nat64 = header.word(ImageHeader::NAT64_COUNT);
    for slot in 0..ImageHeader::NAT64_SLOTS {
        if u32::from(slot) >= own_nat64 {
            break;
        }
        if let Some(v4) = nat64_prefix(header, slot).unwrap(hi, lo) {
            return (Family::V4(v4), None);
        }
    }
    match Addr::embedded(hi, lo) {
        EmbeddedV4::None => (Family::V6(hi, lo), None),
        EmbeddedV4::Only(v4) => (Family::V4(v4), None),
        EmbeddedV4::Also(v4) => (Family::V4(v4), Some(Family::V6(hi, lo))),
    }
}

#[inline(always)]
fn nat64_prefix(header: &Page, slot: u16) -> Nat64Prefix {
    let word = ImageHeader::NAT64 + slot * 6;
    Nat64Prefix {
        hi: header.double(word / 2),
        lo: header.double(word / 2 + 1),
        len: header.word(word + 4),
        reserved: 0,
    }
}

/// The word of an outcome, or a fault's number: what the payload of another variant leaves undefined,
/// the verifier refuses.
#[inline(always)]
fn judge_address<P: Pages>(
    pages: &P,
    header: &Page,
    class: ClassId,
    address: Family,
    key: u32,
    names: Names,
) -> u32 {
    let atom = match locate(pages, header, address) {
        Ok(atom) => atom,
        Err(fault) => return fault as u32,
    };
    let atoms = header.word(ImageHeader::ATOMS);
    let cell = u32::from(class.0)
        .wrapping_mul(atoms)
        .wrapping_add(u32::from(atom.0));
    let number = header.word(ImageHeader::MATRIX).wrapping_add(cell >> 16);
    let Some(matrix) = pages.page(number) else {
        return Fault::NoPage as u32;
    };
    let mut word = matrix.word(cell as u16);
    if Outcome::is_outcome(word) {
        return word;
    }
    if MatrixEntry::is_list(word) {
        let (page, offset, steps) = MatrixEntry::list_place(word);
        let Some(page) = pages.page(u32::from(page)) else {
            return Fault::NoPage as u32;
        };
        let target = u64::from(key) << 32 | 0xffff_ffff;
        let at = last_double_at_most(page, offset, steps, target);
        word = page.double(at) as u32;
        if Outcome::is_outcome(word) {
            return word;
        }
    }
    if names.are_of(header) {
        pages.follow(word, names)
    } else {
        Fault::NoNames as u32
    }
}
