//! Class, destination, protocol and port to outcome: steps 5 and 6 of [`decide`](super::decide).

use super::{
    decision::Fault, locate::locate, names::Names, search::last_double_at_most, tables::Pages,
};
use crate::abi::{
    Addr, ClassEntry, ClassId, EmbeddedV4, Family, ImageHeader, MatrixEntry, Nat64Prefix, Outcome,
    Page,
};

/// What the policies of a class say of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What the deciding rule says, or why none could be found.
    pub outcome: Result<Outcome, Fault>,
    /// A policy of the class judges replies as any other packet. Told only of refusals.
    pub judge_replies: bool,
    /// Low 16 bits of the image's number.
    pub generation: u16,
}

impl Judgement {
    const REPLIES: u64 = 1 << 32;
    const GENERATION: u32 = 48;

    /// All of it in a double word.
    #[inline(always)]
    #[must_use]
    pub fn pack(self) -> u64 {
        let word = match self.outcome {
            Ok(outcome) => outcome.pack(),
            Err(fault) => fault as u32,
        };
        u64::from(word)
            | if self.judge_replies { Self::REPLIES } else { 0 }
            | u64::from(self.generation) << Self::GENERATION
    }

    /// Reads a double word that [`pack`](Self::pack) wrote.
    #[inline(always)]
    #[must_use]
    pub fn unpack(double: u64) -> Self {
        let word = double as u32;
        Self {
            outcome: Outcome::unpack(word).ok_or(Fault::from_byte(word as u8)),
            judge_replies: double & Self::REPLIES != 0,
            generation: (double >> Self::GENERATION) as u16,
        }
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
    let fault = |fault| Judgement {
        outcome: Err(fault),
        judge_replies: true,
        generation: 0,
    };
    let Some(header) = pages.page(0) else {
        return fault(Fault::NoImage);
    };
    if u32::from(class.0) >= header.word(ImageHeader::CLASSES) {
        return fault(Fault::NoClass);
    }
    let (mut address, mut second) = destinations(header, dst);
    let mut outcome = Err(Fault::NoImage);
    // Only ISATAP goes round again. A loop, so that the verifier sees one copy of the code.
    for round in 0..2 {
        let word = judge_address(pages, header, class, address, key, names);
        let this = Outcome::unpack(word).ok_or(Fault::from_byte(word as u8));
        if round == 0
            || !matches!(
                this,
                Ok(Outcome {
                    deny: false,
                    audit: false,
                    ..
                })
            )
        {
            outcome = this;
        }
        match (outcome, second.take()) {
            (Ok(Outcome { deny: false, .. }), Some(next)) => address = next,
            _ => break,
        }
    }
    let refused = !matches!(outcome, Ok(Outcome { deny: false, .. }));
    Judgement {
        outcome,
        judge_replies: refused && ClassEntry::read(header, class).judge_replies,
        generation: header.word(ImageHeader::GENERATION) as u16,
    }
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
