//! Pages: room for tables, and the header that finds them.

use enforcer_common::{
    abi::{
        ABI_VERSION, ClassEntry, ClassId, ImageHeader, NameMask, Nat64Prefix, PAGE_WORDS, Page,
        SOCKET_TAGS_PER_PAGE, SocketTag, TAIL_ENTRIES_PER_PAGE, TAIL_PAGES, TailEntry,
    },
    names::Seed,
};
use zerocopy::FromZeros as _;

use super::{Input, addresses::Tables, lists::ClassLists};

/// Words of two cache lines, which processors fetch together: a bucket of addresses lies in them.
const LINE_WORDS: usize = 32;

/// A place in an arena, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) page: u8,
    pub(super) word: u16,
}

/// Pages that are filled from the front. Page 0 is left to the header.
pub(super) struct Arena {
    pages: Vec<Page>,
    /// First free word of the last page.
    free: usize,
}

impl Arena {
    /// Page numbers in nodes have 8 bits.
    pub(super) const MOST_PAGES: usize = 256;

    pub(super) fn new() -> Self {
        Self {
            pages: zeroed(1),
            free: PAGE_WORDS,
        }
    }

    /// Writes `words`, a power of two of them, into one page.
    pub(super) fn put(&mut self, words: &[u32]) -> Place {
        let aligned = self.free.next_multiple_of(words.len().clamp(1, LINE_WORDS));
        if aligned + words.len() > PAGE_WORDS {
            self.pages.extend(zeroed(1));
            self.free = 0;
        } else {
            self.free = aligned;
        }
        let number = self.pages.len() - 1;
        let place = Place {
            page: number as u8,
            word: self.free as u16,
        };
        self.pages[number].set_words(place.word, words);
        self.free += words.len();
        place
    }

    /// The pages, or how many there are when they are too many.
    pub(super) fn finish(self) -> Result<Vec<Page>, usize> {
        if self.pages.len() > Self::MOST_PAGES {
            Err(self.pages.len())
        } else {
            Ok(self.pages)
        }
    }
}

fn zeroed(count: usize) -> Vec<Page> {
    // Running out of memory aborts, here as anywhere.
    Page::new_vec_zeroed(count).unwrap_or_default()
}

/// Double words to words.
pub(super) fn words_of(doubles: impl IntoIterator<Item = u64>) -> Vec<u32> {
    doubles
        .into_iter()
        .flat_map(|double| [double as u32, (double >> 32) as u32])
        .collect()
}

/// Repeats the last entry until there is a power of two of them; the binary logarithm of that.
pub(super) fn pad<T: Copy>(entries: &mut Vec<T>) -> u8 {
    let size = entries.len().next_power_of_two();
    if let Some(&last) = entries.last() {
        entries.resize(size, last);
    }
    size.trailing_zeros() as u8
}

/// Page 0, and the tables behind the arena's pages.
pub(super) struct Header {
    pages: Vec<Page>,
}

impl Header {
    pub(super) fn of(pages: Vec<Page>, input: &Input<'_>, tables: &Tables, atoms: usize) -> Self {
        let mut header = Self { pages };
        header.set(ImageHeader::VERSION, ABI_VERSION);
        header
            .first()
            .set_double(ImageHeader::GENERATION / 2, input.generation);
        header.set(ImageHeader::V4_INDEX, tables.v4_index.into());
        header.set(ImageHeader::V6_INDEX, tables.v6_index.into());
        header.set(ImageHeader::ATOMS, atoms as u32);
        header.set(ImageHeader::CLASSES, input.classes.len() as u32);
        header.set(ImageHeader::NAT64_COUNT, input.nat64.len() as u32);
        let Seed([first, second]) = input.seed;
        let seed = ImageHeader::NAME_SEED / 2;
        header.first().set_double(seed, first);
        header.first().set_double(seed + 1, second);
        for (
            slot,
            &Nat64Prefix {
                hi,
                lo,
                len,
                reserved: _,
            },
        ) in input.nat64.iter().enumerate()
        {
            let word = ImageHeader::NAT64 + slot as u16 * 6;
            header.first().set_double(word / 2, hi);
            header.first().set_double(word / 2 + 1, lo);
            header.set(word + 4, len);
        }
        header
    }

    pub(super) fn set_class(&mut self, class: ClassId, entry: ClassEntry) {
        for (word, value) in (ClassEntry::place(class)..).zip(entry.pack()) {
            self.set(word, value);
        }
    }

    pub(super) fn append_matrix(&mut self, lists: &ClassLists) {
        self.set(ImageHeader::MATRIX, self.pages.len() as u32);
        for words in lists.matrix.chunks(PAGE_WORDS) {
            self.append().set_words(0, words);
        }
    }

    /// Rows of masks, each as long as there are name sets.
    pub(super) fn append_names(&mut self, index: u8, sets: usize, masks: &[NameMask]) {
        self.set(ImageHeader::NAME_INDEX, index.into());
        self.set(ImageHeader::NAME_SETS, sets as u32);
        self.set(ImageHeader::NAME_MASKS, self.pages.len() as u32);
        for masks in masks.chunks(PAGE_WORDS / 2) {
            let page = self.append();
            for (at, mask) in masks.iter().enumerate() {
                page.set_double(at as u16, mask.0);
            }
        }
    }

    pub(super) fn append_tail(&mut self, tail: &[TailEntry]) {
        let per_page = usize::from(TAIL_ENTRIES_PER_PAGE);
        self.set(ImageHeader::TAIL, self.pages.len() as u32);
        self.set(
            ImageHeader::TAIL_COUNT,
            tail.len().div_ceil(per_page) as u32,
        );
        for number in 0..TAIL_PAGES {
            let first = tail.get(usize::from(number) * per_page);
            let (hi, lo) = first.map_or((u64::MAX, u64::MAX), |entry| (entry.hi, entry.lo));
            let place = (ImageHeader::FENCES + number * 4) / 2;
            self.first().set_double(place, hi);
            self.first().set_double(place + 1, lo);
        }
        for entries in tail.chunks(per_page) {
            let page = self.append();
            let last = entries[entries.len() - 1];
            let padded = entries.iter().copied().chain(std::iter::repeat(last));
            for (index, entry) in padded.take(per_page).enumerate() {
                let double = index as u16 * 4;
                page.set_double(double, entry.hi);
                page.set_double(double + 1, entry.lo);
                page.set_double(double + 2, entry.atom.0.into());
            }
        }
    }

    /// Nothing, when no class has any.
    pub(super) fn append_socket_tags(&mut self, tags: &[SocketTag]) {
        if tags.iter().all(|&tag| tag == SocketTag::NONE) {
            return;
        }
        self.set(ImageHeader::SOCKET_TAGS, self.pages.len() as u32);
        for tags in tags.chunks(SOCKET_TAGS_PER_PAGE.into()) {
            let page = self.append();
            for (index, tag) in tags.iter().enumerate() {
                page.set_double(index as u16, tag.to_double());
            }
        }
    }

    pub(super) fn finish(mut self) -> Vec<Page> {
        self.set(ImageHeader::PAGES, self.pages.len() as u32);
        self.pages
    }

    fn append(&mut self) -> &mut Page {
        self.pages.extend(zeroed(1));
        let last = self.pages.len() - 1;
        &mut self.pages[last]
    }

    fn first(&mut self) -> &mut Page {
        &mut self.pages[0]
    }

    fn set(&mut self, word: u16, value: u32) {
        self.first().set_word(word, value);
    }
}
