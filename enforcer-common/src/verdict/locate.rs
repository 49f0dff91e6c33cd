//! Address to atom.

use super::{
    decision::Fault,
    search::{double_of_few, last_record_at_most, word_of_few},
    tables::Pages,
};
use crate::abi::{Atom, Family, ImageHeader, Node, Page, TAIL_ENTRIES_PER_PAGE, TAIL_PAGES};

/// The atom of an address, in two or three cache misses.
///
/// # Errors
/// The image lacks a page or holds a word that no version wrote.
#[inline(always)]
pub fn locate<P: Pages>(pages: &P, header: &Page, family: Family) -> Result<Atom, Fault> {
    // The first 64 bits of the address, from the highest down: an IPv4 address is the first 32.
    let (index, bits) = match family {
        Family::V4(v4) => (ImageHeader::V4_INDEX, u64::from(v4) << 32),
        Family::V6(hi, _) => (ImageHeader::V6_INDEX, hi),
    };
    let atom = descend(pages, header.word(index), bits)?;
    match family {
        Family::V6(hi, lo) if atom == Atom::SPLIT => locate_tail(pages, header, hi, lo),
        Family::V4(_) | Family::V6(..) => Ok(atom),
    }
}

/// What stands in an index of 64-bit numbers, the first halves of addresses or hashes of names.
/// From the index down: 16 bits, then 8 with each inner node, then a bucket for the rest.
#[inline(always)]
pub(super) fn descend<P: Pages>(pages: &P, index: u32, bits: u64) -> Result<Atom, Fault> {
    let mut node = page(pages, index)?.word((bits >> 48) as u16);
    let mut rest = bits << 16;
    // 48 bits are left and an inner node takes 8.
    for _ in 0..6 {
        let Node::Inner {
            page: number,
            offset,
        } = Node::unpack(node)
        else {
            break;
        };
        let inner = page(pages, u32::from(number))?;
        node = inner.word(offset.wrapping_add((rest >> 56) as u16));
        rest <<= 8;
    }
    match Node::unpack(node) {
        Node::Leaf(atom) => Ok(atom),
        Node::Bucket {
            page: number,
            offset,
            steps,
        } => {
            let bucket = page(pages, u32::from(number))?;
            let entry = double_of_few(bucket, offset, steps, rest | 0xffff);
            Ok(Atom(entry as u16))
        }
        Node::Short {
            page: number,
            offset,
            steps,
        } => {
            let bucket = page(pages, u32::from(number))?;
            let entry = word_of_few(bucket, offset, steps, (rest >> 32) as u32 | 0xffff);
            Ok(Atom(entry as u16))
        }
        Node::Inner { .. } | Node::Bad => Err(Fault::BadNode),
    }
}

#[inline(always)]
fn locate_tail<P: Pages>(pages: &P, header: &Page, hi: u64, lo: u64) -> Result<Atom, Fault> {
    const STRIDE: u16 = 8;
    let fence = last_record_at_most(header, ImageHeader::FENCES, TAIL_PAGES, 4, hi, lo);
    // Fences past the last page are all ones, which is an address too.
    let last = header.word(ImageHeader::TAIL_COUNT).wrapping_sub(1);
    let number = header
        .word(ImageHeader::TAIL)
        .wrapping_add(u32::from(fence).min(last));
    let tail = page(pages, number)?;
    let at = last_record_at_most(tail, 0, TAIL_ENTRIES_PER_PAGE, STRIDE, hi, lo);
    Ok(Atom(tail.word((at << 3).wrapping_add(4)) as u16))
}

#[inline(always)]
fn page<P: Pages>(pages: &P, number: u32) -> Result<&Page, Fault> {
    pages.page(number).ok_or(Fault::NoPage)
}
