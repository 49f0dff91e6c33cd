//! Address to atom.

use super::{
    decision::Fault,
    search::{last_double_at_most, last_record_at_most, last_word_at_most},
    tables::Pages,
};
use crate::abi::{Atom, Family, ImageHeader, Node, Page, TAIL_ENTRIES_PER_PAGE, TAIL_PAGES};

/// The atom of an address, in one or two cache misses.
///
/// # Errors
/// The image lacks a page or holds a word that no version wrote.
#[inline(always)]
pub fn locate<P: Pages>(pages: &P, header: &Page, family: Family) -> Result<Atom, Fault> {
    match family {
        Family::V4(v4) => locate_v4(pages, header, v4),
        Family::V6(hi, lo) => locate_v6(pages, header, hi, lo),
    }
}

#[inline(always)]
fn locate_v4<P: Pages>(pages: &P, header: &Page, v4: u32) -> Result<Atom, Fault> {
    let index = page(pages, header.word(ImageHeader::V4_INDEX))?;
    match Node::unpack(index.word((v4 >> 16) as u16)) {
        Node::Leaf(atom) => Ok(atom),
        Node::Bucket {
            page: number,
            offset,
            steps,
        } => {
            let bucket = page(pages, u32::from(number))?;
            let at = last_word_at_most(bucket, offset, steps, v4 << 16 | 0xffff);
            Ok(Atom(bucket.word(at) as u16))
        }
        Node::Inner { .. } | Node::Bad => Err(Fault::BadNode),
    }
}

#[inline(always)]
fn locate_v6<P: Pages>(pages: &P, header: &Page, hi: u64, lo: u64) -> Result<Atom, Fault> {
    let atom = locate_prefix(pages, header.word(ImageHeader::V6_INDEX), hi)?;
    if atom == Atom::SPLIT {
        locate_tail(pages, header, hi, lo)
    } else {
        Ok(atom)
    }
}

/// What stands in an index of 64-bit numbers: the upper halves of IPv6 addresses, or hashes of names.
#[inline(always)]
pub(super) fn locate_prefix<P: Pages>(pages: &P, index: u32, hi: u64) -> Result<Atom, Fault> {
    let index = page(pages, index)?;
    let mut node = index.word((hi >> 48) as u16);
    let mut rest = hi << 16;
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
            let at = last_double_at_most(bucket, offset, steps, rest | 0xffff);
            Ok(Atom(bucket.double(at) as u16))
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
