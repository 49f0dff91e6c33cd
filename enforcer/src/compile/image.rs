//! The compiled answer in memory.

use std::sync::Arc;

use enforcer_common::{
    abi::{Addr, ClassId, ImageHeader, NameMask, Page, RuleId, Tag},
    names::NameKey,
    verdict::{
        Decision, Flow, Judgement, Names, Pages, Tables, decide, judge, name_mask, name_seed,
    },
};

use super::{
    lists::ListUsage,
    names::{NameUsage, PatternTexts},
    partition::AddressUsage,
    provenance::{Provenance, Rules},
};
use crate::policy::Minute;

/// A compiled image: the pages that are published to the kernel, and what their numbers mean.
#[derive(Clone)]
pub struct Image {
    pages: Vec<Page>,
    rules: Rules,
    patterns: Arc<PatternTexts>,
    usage: Usage,
    until: Option<Minute>,
}

/// What an image consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Atoms and ranges.
    pub addresses: AddressUsage,
    /// Matrix and lists.
    pub lists: ListUsage,
    /// Names.
    pub names: NameUsage,
    /// Size in bytes.
    pub bytes: usize,
}

impl Image {
    pub(super) fn new(
        pages: Vec<Page>,
        rules: Rules,
        patterns: PatternTexts,
        usage: Usage,
        until: Option<Minute>,
    ) -> Self {
        Self {
            pages,
            rules,
            patterns: Arc::new(patterns),
            usage,
            until,
        }
    }

    /// How many kinds of addresses an image holds.
    pub const MOST_ATOMS: usize = super::partition::Partition::MOST_ATOMS;
    /// How many pages an image holds.
    pub const MOST_PAGES: usize = super::pages::Arena::MOST_PAGES;

    /// The minute from which on the same policies mean something else: an agreement that they
    /// require ends. Whoever runs longer compiles again then.
    #[must_use]
    pub fn until(&self) -> Option<Minute> {
        self.until
    }

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

    /// The patterns of names that its policies have.
    #[must_use]
    pub fn patterns(&self) -> &Arc<PatternTexts> {
        &self.patterns
    }

    /// The word of the matrix for a class and an atom: equal words of one image stand for the same
    /// verdict on every protocol and port. `None` when the image has no such cell.
    pub(super) fn cell(&self, class: ClassId, atom: u16) -> Option<u32> {
        let header = &self.pages[0];
        let row = u32::from(class.0).checked_mul(header.word(ImageHeader::ATOMS))?;
        let cell = row.checked_add(atom.into())?;
        let page = header.word(ImageHeader::MATRIX) + (cell >> 16);
        Some(self.page(page)?.word(cell as u16))
    }

    /// Decides a flow of a workload of `class` as the kernel does, as long as it answers nobody. Its
    /// destination has these names.
    #[must_use]
    pub fn decide(&self, class: ClassId, flow: &Flow, names: &[&str]) -> Decision {
        let keys = names.iter().filter_map(|name| self.name_key(name));
        let keys: Vec<NameKey> = keys.collect();
        self.decide_tagged(Some(Tag::judged(class)), 0, flow, &keys)
    }

    /// The same for a cgroup with this tag, its own or that of its nearest tagged ancestor, at a
    /// moment of `CLOCK_BOOTTIME` in nanoseconds.
    #[must_use]
    pub fn decide_tagged(
        &self,
        tag: Option<Tag>,
        now_ns: u64,
        flow: &Flow,
        names: &[NameKey],
    ) -> Decision {
        let tables = InMemory {
            image: self,
            tag,
            now_ns,
            names,
        };
        decide(&tables, flow)
    }

    /// The key under which the kernel knows a name; `None` when it is no name.
    #[must_use]
    pub fn name_key(&self, name: &str) -> Option<NameKey> {
        NameKey::of_text(name, &name_seed(&self.pages[0]))
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
    names: &'a [NameKey],
}

impl Tables for InMemory<'_> {
    fn tag(&self, _flow: &Flow) -> Option<Tag> {
        self.tag
    }

    fn judge(&self, class: ClassId, dst: Addr, key: u32, names: Names) -> Judgement {
        judge(self.image, class, dst, key, names)
    }

    fn names(&self, _flow: &Flow, class: ClassId) -> Names {
        let masks = self
            .names
            .iter()
            .map(|key| name_mask(self.image, class, key));
        let masks: Result<Vec<NameMask>, _> = masks.collect();
        let Ok(masks) = masks else {
            return Names::UNASKED;
        };
        let any = masks
            .into_iter()
            .fold(NameMask::NONE, |any, mask| any | mask);
        Names::in_image(any, self.image.generation())
    }

    fn is_reply(&self, _flow: &Flow) -> bool {
        false
    }

    fn now_ns(&self) -> u64 {
        self.now_ns
    }
}
