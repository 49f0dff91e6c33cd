//! What an image says of a class, besides its row of the matrix.

use super::{ImageHeader, Page};
use crate::abi::ids::ClassId;

/// Most resolvers that a class may believe.
pub const RESOLVER_SLOTS: u8 = 16;

/// What is the same for every flow of a class: words of page 0. Asked only of refusals, and of what
/// depends on names.
///
/// ```text
/// unused:30 | names:1 | judge replies:1
/// resolvers' page:8 | offset:16 | count:8    offset in double words
/// row of name masks:32
/// unused:32
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassEntry {
    /// Replies are judged as any other packet (`replies: judge` in one of its policies).
    pub judge_replies: bool,
    /// One of its policies has conditions on names.
    pub names: bool,
    /// Whose answers say which names an address has.
    pub resolvers: Resolvers,
    /// Its row of name masks.
    pub mask_row: u32,
}

/// Addresses in a page, two double words each: the halves of [`Addr`](crate::abi::Addr), host order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resolvers {
    /// Page number.
    pub page: u8,
    /// First double word.
    pub offset: u16,
    /// How many, at most [`RESOLVER_SLOTS`].
    pub count: u8,
}

impl ClassEntry {
    /// Words of an entry.
    pub const WORDS: u16 = 4;

    /// Word of page 0 where the entry of `class` starts.
    #[inline(always)]
    #[must_use]
    pub fn place(class: ClassId) -> u16 {
        ImageHeader::CLASS_TABLE.wrapping_add(class.0.wrapping_mul(Self::WORDS))
    }

    /// Packs it into words.
    #[must_use]
    pub fn pack(self) -> [u32; Self::WORDS as usize] {
        let Resolvers {
            page,
            offset,
            count,
        } = self.resolvers;
        [
            u32::from(self.judge_replies) | u32::from(self.names) << 1,
            u32::from(page) << 24 | u32::from(offset) << 8 | u32::from(count),
            self.mask_row,
            0,
        ]
    }

    /// Reads the entry of a class that the image has.
    #[inline(always)]
    #[must_use]
    pub fn read(header: &Page, class: ClassId) -> Self {
        let place = Self::place(class);
        let flags = header.word(place);
        let resolvers = header.word(place.wrapping_add(1));
        Self {
            judge_replies: flags & 1 != 0,
            names: flags & 2 != 0,
            resolvers: Resolvers {
                page: (resolvers >> 24) as u8,
                offset: (resolvers >> 8) as u16,
                count: resolvers as u8,
            },
            mask_row: header.word(place.wrapping_add(2)),
        }
    }
}
