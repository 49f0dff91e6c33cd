//! The compiled answer in memory.

use enforcer_common::{
    abi::{Addr, ClassId, ImageHeader, PAGE_BYTES, Page, RuleId, Tag},
    verdict::{Decision, Flow, Judgement, Pages, Tables, decide, judge},
};

use super::{
    lists::ListUsage,
    partition::AddressUsage,
    provenance::{Provenance, Rules},
};

/// A compiled image: the pages that are published to the kernel, and what their numbers mean.
#[derive(Clone)]
pub struct Image {
    pages: Vec<Page>,
    rules: Rules,
    usage: Usage,
}

/// What an image consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Atoms and ranges.
    pub addresses: AddressUsage,
    /// Matrix and lists.
    pub lists: ListUsage,
    /// Size in bytes.
    pub bytes: usize,
}

impl Image {
    pub(super) fn new(
        pages: Vec<Page>,
        rules: Rules,
        addresses: AddressUsage,
        lists: ListUsage,
    ) -> Self {
        let bytes = pages.len() * PAGE_BYTES;
        Self {
            pages,
            rules,
            usage: Usage {
                addresses,
                lists,
                bytes,
            },
        }
    }

    /// How many kinds of addresses an image holds.
    pub const MOST_ATOMS: usize = super::partition::Partition::MOST_ATOMS;
    /// How many pages an image holds.
    pub const MOST_PAGES: usize = super::pages::Arena::MOST_PAGES;

    /// Its number.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.pages[0].double(ImageHeader::GENERATION / 2)
    }

    /// Numbers it again: the bytes are otherwise the same.
    pub fn set_generation(&mut self, generation: u64) {
        self.pages[0].set_double(ImageHeader::GENERATION / 2, generation);
    }

    /// The pages, as the kernel gets them.
    #[must_use]
    pub fn pages(&self) -> &[Page] {
        &self.pages
    }

    /// What it consists of.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// Where a decision comes from.
    #[must_use]
    pub fn rule(&self, id: RuleId) -> Option<&Provenance> {
        self.rules.get(id)
    }

    /// Every rule and default.
    pub fn rules(&self) -> impl Iterator<Item = (RuleId, &Provenance)> {
        self.rules.iter()
    }

    /// Decides a flow of a workload of `class` as the kernel does, as long as it answers nobody.
    #[must_use]
    pub fn decide(&self, class: ClassId, flow: &Flow) -> Decision {
        self.decide_tagged(Some(Tag::judged(class)), 0, flow)
    }

    /// The same for a cgroup with this tag, its own or that of its nearest tagged ancestor, at a
    /// moment of `CLOCK_BOOTTIME` in nanoseconds.
    #[must_use]
    pub fn decide_tagged(&self, tag: Option<Tag>, now_ns: u64, flow: &Flow) -> Decision {
        let tables = InMemory {
            image: self,
            tag,
            now_ns,
        };
        decide(&tables, flow)
    }
}

impl Pages for Image {
    fn page(&self, number: u32) -> Option<&Page> {
        self.pages.get(number as usize)
    }
}

/// An image, and the tag of the cgroup whose flows are asked about.
struct InMemory<'a> {
    image: &'a Image,
    tag: Option<Tag>,
    now_ns: u64,
}

impl Tables for InMemory<'_> {
    fn tag(&self, _flow: &Flow) -> Option<Tag> {
        self.tag
    }

    fn judge(&self, class: ClassId, dst: Addr, key: u32) -> Judgement {
        judge(self.image, class, dst, key)
    }

    fn is_reply(&self, _flow: &Flow) -> bool {
        false
    }

    fn now_ns(&self) -> u64 {
        self.now_ns
    }
}
